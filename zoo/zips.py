"""Zips from strangers, read without letting them fill the memory."""

import os
import zipfile
from typing import IO, Any

LIST = 4 << 20          # bytes of an archive's list of files; that of 10,000 files has about 1 MB
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class Zip(zipfile.ZipFile):
    """A zip for reading, of which neither the list of files nor a piece of a file is too large.

    Python reads the list as a whole, and what bzip2 or LZMA compressed it expands without a bound:
    a thousand bytes may become gigabytes. Both are refused.

    Raises zipfile.BadZipFile, and what else zipfile raises for damaged files.
    """

    def __init__(self, file: str | os.PathLike[str] | IO[bytes]) -> None:
        own = open(file, "rb") if isinstance(file, str | os.PathLike) else None  # noqa: SIM115
        self.stream = Bounded(own or file)  # type: ignore[arg-type]
        try:
            super().__init__(self.stream)
        except BaseException:
            if own:
                own.close()
            raise
        self.own, self.stream.most = own, None

    def close(self) -> None:
        super().close()
        if getattr(self, "own", None):
            self.own.close()  # type: ignore[union-attr]

    def open(self, name: str | zipfile.ZipInfo, *words: Any, **more: Any) -> IO[bytes]:
        info = name if isinstance(name, zipfile.ZipInfo) else self.getinfo(name)
        if info.compress_type not in METHODS:
            raise zipfile.BadZipFile(f"{info.filename} is compressed by a method other than "
                                     "Deflate")
        return super().open(info, *words, **more)


class Bounded:
    """A file of which no more than ``most`` bytes are read at once, without a bound for None."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.most: int | None = LIST

    def read(self, n: int = -1) -> bytes:
        if self.most is not None and n > self.most:
            raise zipfile.BadZipFile("its list of files is too long")
        return self.file.read(n)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)
