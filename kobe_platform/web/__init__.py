"""The portal server: sign-in, dashboards by audience, applications, and Dagster behind the same door.

:mod:`access` says who may take which route (denied unless a route says otherwise); :mod:`signin` and :mod:`oidc` find
out who somebody is; :mod:`sites` hands out the release; :mod:`screens` are the portal's own pages; :mod:`dagster_gate`
and :mod:`graphql_policy` stand before Dagster's web server; :mod:`portal` puts it together.
"""
