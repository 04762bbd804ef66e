"""Cell suppression: which cells a rule hides, and the search for the others that have to be hidden with them.

The equations are built in ``disclosure.model``; whether a result is safe is judged by ``disclosure.auditor`` alone.
"""
