"""The portal server: sign-in, dashboards by audience, applications, and Dagster behind the same door.

:mod:`access` says who may take which route (denied unless a route says otherwise); :mod:`signin` and :mod:`oidc` find
out who somebody is; :mod:`sites` hands out the release; :mod:`applications`, :mod:`ondemand` and :mod:`audit` are the
portal's own screens; :mod:`dagster_gate` and :mod:`graphql_policy` stand before Dagster's web server; :mod:`portal`
puts it together.

Accounts and approvals are kept in ``governance``; the sites are built in ``lounge``.
"""
