"""Where files are: each module one store, or one duty of the store on disk.

`local` is the POSIX disk, made of: `kernel` (system calls), `resolve` (names that cannot escape), `root`, `lane` and `familiar` (where a call
runs), `mount` (which disks may hang), `names` (hidden and staging names), `homes`, `local_filesystem` (what a session sees), `describe` (FileInfo),
`rows` (of listings), `attributes`, `local_file`, `local_directory`, `local_upload` (over a `draft`, which `drafting` begins), `staging`.  `memory`
keeps everything in memory (`memory_files`), `readonly` wraps another store.  A further store is one more file with an `interfaces.IStoreKind` in it.

For stores of programs: `simple` (bases of a filesystem) and `content` (what it opens), `shared` (one filesystem for everybody), `layer` (one
over another).
"""

__all__ = ["content", "layer", "local", "memory", "readonly", "shared", "simple"]
