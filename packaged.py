"""TOML files that ship with the package, found by name, and those of users, found by path.

A user's file may begin with `base = "NAME|PATH"`: it then holds only what differs from that one.
"""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from .schema import SchemaError, parse_toml


class Shelf(NamedTuple):
    """The files of one kind: `noun` is what a message calls one of them, `package` where they ship.

    `replaced` names, by table, keys of a base that are dropped where the file on top of it gives any of some others:
    two ways to say the same thing.
    """

    noun: str
    package: str
    replaced: Mapping[str, Mapping[str, tuple[str, ...]]] = {}

    def names(self) -> tuple[str, ...]:
        """Return the names of the packaged files."""
        folder = resources.files(self.package)
        return tuple(sorted(one.name.removesuffix(".toml") for one in folder.iterdir() if one.name.endswith(".toml")))

    def text(self, name_or_path: str | Path) -> str:
        """Return the text of a packaged file, or of a user's.

        Raises
        ------
        FileNotFoundError, OSError
            If it is neither a packaged name nor a file that can be read.
        SchemaError
            If the file is not text.
        """
        if str(name_or_path) in self.names():
            return (resources.files(self.package) / f"{name_or_path}.toml").read_text(encoding="utf-8")
        try:
            return Path(name_or_path).read_text(encoding="utf-8")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            allowed = f"allowed {', '.join(self.names())} or the path of a TOML file"
            raise FileNotFoundError(f"{name_or_path}: no such {self.noun}, {allowed}") from None
        except OSError as error:
            raise OSError(f"{name_or_path}: cannot be read ({error.strerror})") from None
        except UnicodeDecodeError:
            raise SchemaError(f"{name_or_path}: not a text file, allowed TOML in UTF-8") from None

    def read(self, name_or_path: str | Path) -> tuple[str, dict[str, Any]]:
        """Return how messages name a file, and its tables, completed by the files it builds on."""
        if not isinstance(name_or_path, (str, Path)):
            raise TypeError(f"{self.noun} = {name_or_path!r}, must be a name or a path")
        return self._read(name_or_path, ())

    def _read(self, name_or_path: str | Path, seen: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
        source = f"{name_or_path}.toml" if str(name_or_path) in self.names() else str(name_or_path)
        tables = parse_toml(self.text(name_or_path), source)
        base = tables.pop("base", None)
        if base is None:
            return source, tables
        if not isinstance(base, str) or base in seen:
            raise SchemaError(f"{source}: base = {base!r}, allowed the name or path of another {self.noun}")
        below = self._read(base, (*seen, base))[1]
        for table, keys in self.replaced.items():
            given, old = tables.get(table), below.get(table)
            if isinstance(given, dict) and isinstance(old, dict):
                gone = {key for key, others in keys.items() if any(other in given for other in others)}
                below[table] = {key: value for key, value in old.items() if key not in gone}
        return source, _merged(below, tables)


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        result[key] = _merged(base[key], value) if both else value
    return result
