"""Governance: who may do what, on which ground, and the record of it.

:mod:`schema`, :mod:`database` hold the data (SQLite, or PostgreSQL by URL); :mod:`people`, :mod:`passwords`,
:mod:`sessions` accounts; :mod:`applications` the データ利用申請書 and :mod:`approvals` what follows for dashboards;
:mod:`trail` what happened; :mod:`report` the page for the privacy officer.

Sign-in and screens stand in ``web``; keys and their log in ``custody``.
"""
