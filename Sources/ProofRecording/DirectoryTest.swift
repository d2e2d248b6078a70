internal import Glibc

/// Whether a directory stands at `path`, through links: the user gave it.
func isDirectory(_ path: String) -> Bool {
  var status = stat()
  return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
}
