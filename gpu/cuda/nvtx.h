#pragma once
// Named ranges for NVIDIA's profilers: `nsys profile` shows them on its time line of the host.
// Without a profiler a call costs a few nanoseconds and does nothing.

namespace millrace::gpu {

/// Begins a range on this thread, within those that it began before.
void begin_range(const char* name) noexcept;
/// Ends the range that this thread began last.
void end_range() noexcept;

/// A range as long as a scope.
class NamedRange {
 public:
  explicit NamedRange(const char* name) noexcept { begin_range(name); }
  ~NamedRange() { end_range(); }
  NamedRange(const NamedRange&) = delete;
  NamedRange& operator=(const NamedRange&) = delete;
};

}  // namespace millrace::gpu
