import Glibc

/// How many files this process may have open.
enum OpenFileLimit {
  /// Raises the limit to what the administrator allows, and tells it.
  static func raise() -> Int {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
    let wanted = rlimit(rlim_cur: limit.rlim_max, rlim_max: limit.rlim_max)
    var raised = wanted
    if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &raised) == 0 { limit = wanted }
    return Int(clamping: limit.rlim_cur)
  }
}
