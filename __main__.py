"""`python3 -m besfast` is `besfast`."""

from .cli import main

if __name__ == "__main__":
    raise SystemExit(main())
