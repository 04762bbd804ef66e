"""Asset checks, one module a concern; all are made by :mod:`checks.factory`."""
