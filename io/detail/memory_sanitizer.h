#pragma once
// MemorySanitizer follows writes of code that it has compiled. Results of other libraries are
// marked as initialised. Without the sanitizer (preset fuzz-memory) this does nothing.

#include <cstddef>

#ifdef __has_feature
#if __has_feature(memory_sanitizer)
#include <sanitizer/msan_interface.h>
#define MILLRACE_MEMORY_SANITIZER
#endif
#endif

namespace millrace::detail {

#ifdef MILLRACE_MEMORY_SANITIZER
inline constexpr bool kHasMemorySanitizer = true;
#else
inline constexpr bool kHasMemorySanitizer = false;
#endif

/// Says that a library has written this memory.
inline void written_by_library([[maybe_unused]] const void* memory,
                               [[maybe_unused]] std::size_t bytes) noexcept {
#ifdef MILLRACE_MEMORY_SANITIZER
  __msan_unpoison(memory, bytes);
#endif
}

/// Ends the program if any of this memory was never written.
inline void must_be_written([[maybe_unused]] const void* memory,
                            [[maybe_unused]] std::size_t bytes) noexcept {
#ifdef MILLRACE_MEMORY_SANITIZER
  __msan_check_mem_is_initialized(memory, bytes);
#endif
}

}  // namespace millrace::detail
