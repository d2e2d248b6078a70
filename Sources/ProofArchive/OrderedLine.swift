internal import Glibc

/// Numbered pieces of work that several threads make in any order, and that are taken in their order by
/// one thread at a time.
///
/// Each piece is made in a room of its own; there are fewer rooms than pieces, and the room that was used
/// last is used next, because the processor's cache still holds it.
///
/// `@unchecked Sendable`: all that changes is guarded by the mutex; a room belongs to the thread that
/// makes its piece, then to the one that takes it.
final class OrderedLine<Room>: @unchecked Sendable {
  private let count: Int
  private let readyCount: Int
  private var free: [Room]
  /// Made, and not taken yet.
  private var made: [Int: Room] = [:]
  private var nextToMake = 0
  private var nextToTake = 0
  private var isTaking = false
  private var hasFailed = false
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  /// - Parameters:
  ///   - rooms: At least one more than threads.
  ///   - readyCount: As many pieces are taken at once, fewer only when nothing can be made.
  init(_ count: Int, _ rooms: [Room], readyCount: Int) {
    self.count = count
    self.readyCount = readyCount
    free = rooms
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(changed, nil)
  }

  deinit {
    pthread_cond_destroy(changed)
    pthread_mutex_destroy(mutex)
    changed.deallocate()
    mutex.deallocate()
  }

  /// Takes part until all is made and taken, or `take` has failed. Called by each thread.
  ///
  /// - Parameters:
  ///   - make: Makes a piece in a room; any number of calls at a time.
  ///   - take: Gets pieces in order, one call at a time; false ends the work of all.
  func work(make: (Int, Room) -> Void, take: ([Room]) -> Bool) {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while !hasFailed, nextToTake < count {
      let canMake = nextToMake < count && !free.isEmpty
      let ready = isTaking ? [] : ready()
      if !ready.isEmpty, ready.count >= readyCount || !canMake {
        isTaking = true
        let isTaken = unlocked { take(ready) }
        isTaking = false
        for number in nextToTake..<nextToTake + ready.count { made[number] = nil }
        nextToTake += ready.count
        free += ready
        hasFailed = hasFailed || !isTaken
        pthread_cond_broadcast(changed)
      } else if canMake, let room = free.popLast() {
        let number = nextToMake
        nextToMake += 1
        unlocked { make(number, room) }
        made[number] = room
        pthread_cond_broadcast(changed)
      } else {
        pthread_cond_wait(changed, mutex)
      }
    }
  }

  /// What can be taken now.
  private func ready() -> [Room] {
    var rooms: [Room] = []
    while let room = made[nextToTake + rooms.count] { rooms.append(room) }
    return rooms
  }

  private func unlocked<Result>(_ body: () -> Result) -> Result {
    pthread_mutex_unlock(mutex)
    defer { pthread_mutex_lock(mutex) }
    return body()
  }
}
