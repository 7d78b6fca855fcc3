#pragma once
// A kernel with its arguments, ready to be launched any number of times. Every kernel here is a
// function of one index, called for 0 to count-1 in any order by independent threads, or by teams
// of threads (kernels/team_sums.h) that add up in the order of a fixed tree. So a launch means the
// same on a GPU, and in a plain loop on the host, where the recording device runs it.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

namespace millrace::gpu {

/// Memory that a piece of device work touches.
struct Access {
  const void* begin = nullptr;
  std::size_t bytes = 0;
  bool writes = false;  ///< or reads; memory that is both has two entries
};

/// What the program knows of a kernel. There is one object a kernel and element type.
struct Kernel {
  const char* name;
  /// Launches on a cudaStream_t; returns a cudaError_t.
  int (*launch)(const void* arguments, std::int64_t count, void* stream);
  /// The same loop on the host.
  void (*run_on_host)(const void* arguments, std::int64_t count);
};

struct Launch {
  static constexpr std::size_t kArgumentBytes = 192;
  static constexpr std::size_t kAccesses = 16;

  const Kernel* kernel = nullptr;
  std::int64_t count = 0;
  alignas(16) std::array<std::byte, kArgumentBytes> arguments{};
  std::array<Access, kAccesses> accesses{};
  std::size_t access_count = 0;

  template <class F>
  static Launch of(const Kernel& kernel, const F& functor, std::int64_t count) {
    static_assert(sizeof(F) <= kArgumentBytes && alignof(F) <= 16);
    static_assert(std::is_trivially_copyable_v<F>);
    Launch launch;
    launch.kernel = &kernel;
    launch.count = count;
    std::memcpy(launch.arguments.data(), &functor, sizeof(F));
    return launch;
  }
  Launch& reads(const void* begin, std::size_t bytes) { return touches({begin, bytes, false}); }
  Launch& writes(const void* begin, std::size_t bytes) { return touches({begin, bytes, true}); }
  [[nodiscard]] std::span<const Access> touched() const {
    return std::span(accesses).first(access_count);
  }

 private:
  /// Null pointers (what is absent) are left out.
  Launch& touches(const Access& access) {
    if (access.begin != nullptr && access.bytes > 0) accesses.at(access_count++) = access;
    return *this;
  }
};

}  // namespace millrace::gpu
