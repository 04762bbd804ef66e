"""``python -m kobe_platform.cli``."""

from kobe_platform.cli.main import main

main()
