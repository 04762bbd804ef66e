"""Serves the portal: sign-in, dashboards by audience, applications, questions, and Dagster's UI by role.

:mod:`access` says who may use which route (nobody, unless the route allows it); :mod:`signin` and :mod:`oidc`
authenticate; :mod:`sites` hands out the release; :mod:`applications`, :mod:`ondemand` with :mod:`jobs`, and
:mod:`audit` are the portal's own screens; :mod:`dagster_gate` and :mod:`graphql_policy` stand before Dagster's web
server; :mod:`portal` puts it together.

Accounts and approvals are kept in ``governance``; the sites are built in ``lounge``.
"""
