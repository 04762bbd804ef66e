"""Keeps accounts, applications for the use of data and their approvals, and a record of what people did.

The data is in a database (:mod:`schema`, :mod:`database`). :mod:`people`, :mod:`passwords` and :mod:`sessions` are
about accounts, :mod:`applications` is about the データ利用申請書, :mod:`approvals` says which dashboards are approved,
:mod:`trail` is the record.

Sign-in and screens are in ``web``; keys and their log in ``custody``.
"""
