#pragma once
// Copies between host and device whose end the host has not learnt of. A device would still be at
// them: what they read must not change, and what they write cannot be read yet.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace millrace::gpu::recording {

/// Thread safety: none.
class PendingCopies {
 public:
  /// A piece of work: its stream and its number there.
  struct Place {
    int stream = 0;
    std::uint64_t number = 0;
  };

  /// A copy to the device has read this memory.
  void reads(Place place, const void* from, std::size_t bytes);
  /// A copy to the host: `to` is filled with 0xFF until it settles.
  void writes(Place place, void* to, const void* from, std::size_t bytes);
  /// Ends the copies of which `has_ended` says so, in their order: results arrive, and `changed` is
  /// told where memory is not what it was when it was read.
  void settle(const std::function<bool(Place)>& has_ended,
              const std::function<void(const void* from)>& changed);
  /// Lets results arrive in memory that the device itself is about to read.
  void deliver(const void* begin, std::size_t bytes);

 private:
  struct Source {
    Place place;
    const void* from;
    std::size_t bytes;
    std::uint64_t hash;
  };
  struct Result {
    Place place;
    void* to;
    std::vector<std::byte> bytes;
  };
  std::vector<Source> sources_;
  std::vector<Result> results_;
};

}  // namespace millrace::gpu::recording
