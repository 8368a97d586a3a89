"""The media type of a file by the end of its name: the same on every host and with every Python. Pure; any thread.

Types are those of IANA's registry as browsers want them; what Python's `mimetypes` has of its own agrees, where it has
them. No charset is said: a page says its own.
"""

from __future__ import annotations

from typing import Dict

UNKNOWN = "application/octet-stream"
TABLE = """
    application/atom+xml atom
    application/epub+zip epub
    application/gzip gz tgz
    application/java-archive jar
    application/json json map
    application/ld+json jsonld
    application/manifest+json webmanifest
    application/msword doc dot
    application/pdf pdf
    application/postscript ps eps ai
    application/rss+xml rss
    application/rtf rtf
    application/sql sql
    application/vnd.apple.mpegurl m3u8
    application/vnd.debian.binary-package deb
    application/vnd.ms-excel xls xlb
    application/vnd.ms-fontobject eot
    application/vnd.ms-powerpoint ppt pot ppa pps pwz
    application/vnd.oasis.opendocument.presentation odp
    application/vnd.oasis.opendocument.spreadsheet ods
    application/vnd.oasis.opendocument.text odt
    application/vnd.openxmlformats-officedocument.presentationml.presentation pptx
    application/vnd.openxmlformats-officedocument.spreadsheetml.sheet xlsx
    application/vnd.openxmlformats-officedocument.wordprocessingml.document docx
    application/wasm wasm
    application/x-7z-compressed 7z
    application/x-bzip2 bz2
    application/x-sh sh
    application/x-tar tar
    application/x-x509-ca-cert crt der pem
    application/x-xz xz
    application/xhtml+xml xhtml
    application/xml xsl rdf wsdl xpdl
    application/yaml yaml yml
    application/zip zip whl
    application/zstd zst
    audio/3gpp 3ga
    audio/aac aac adts
    audio/flac flac
    audio/midi mid midi
    audio/mp4 m4a
    audio/mpeg mp3 mp2
    audio/ogg oga ogg opus
    audio/wav wav
    audio/webm weba
    audio/x-aiff aif aiff aifc
    font/otf otf
    font/ttf ttf
    font/woff woff
    font/woff2 woff2
    image/apng apng
    image/avif avif
    image/bmp bmp
    image/gif gif
    image/heic heic
    image/heif heif
    image/jpeg jpg jpeg jpe
    image/jxl jxl
    image/png png
    image/svg+xml svg
    image/tiff tif tiff
    image/vnd.microsoft.icon ico
    image/webp webp
    text/calendar ics
    text/css css
    text/csv csv
    text/html html htm
    text/javascript js mjs
    text/markdown md markdown
    text/plain txt text log conf c h pl bat ksh srt
    text/tab-separated-values tsv
    text/vcard vcf
    text/vtt vtt
    text/x-python py
    text/xml xml
    video/3gpp 3gp 3gpp
    video/mp2t ts
    video/mp4 mp4 m4v
    video/mpeg mpeg mpg mpe m1v
    video/ogg ogv
    video/quicktime qt mov
    video/webm webm
    video/x-msvideo avi
"""
BY_SUFFIX: Dict[str, str] = {
    suffix: words[0] for words in map(str.split, TABLE.strip().splitlines()) for suffix in words[1:]
}
_PACKED = ("image/", "audio/", "video/", "font/woff")  # compressed already
_NOT_PACKED = frozenset(("image/bmp", "image/svg+xml", "image/vnd.microsoft.icon", "image/tiff", "audio/wav"))
_ARCHIVES = frozenset(
    (
        "application/epub+zip",
        "application/gzip",
        "application/java-archive",
        "application/vnd.debian.binary-package",
        "application/x-7z-compressed",
        "application/x-bzip2",
        "application/x-xz",
        "application/zip",
        "application/zstd",
    )
)


def of(name: str) -> str:
    """Return the type of a file with this name."""
    return BY_SUFFIX.get(name.rpartition(".")[2].lower(), UNKNOWN) if "." in name else UNKNOWN


def may_have_siblings(media_type: str) -> bool:
    """Tell whether compressed copies of such a file are looked for: not, where it is compressed itself."""
    if media_type.startswith(_PACKED):
        return media_type in _NOT_PACKED
    return media_type not in _ARCHIVES
