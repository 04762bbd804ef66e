"""Kills and faults of the real executable on copies of a small city's home, judged by the next `kobe run`.

``homes`` prepares homes in which certain work is due, ``watching`` sees files come and go (inotify), ``aims`` lists the
kills, ``judging`` says what a killed home must look like after the next `kobe run`, ``records`` keeps what was tried.
`make soak` runs all of it and goes on where it was interrupted; `make test` tries six of
the kills and four of the faults.
"""
