#pragma once
// The form of the labels that a model learns from: Keras's class_mode.

#include <cstdint>
#include <string_view>

namespace millrace {

enum class ClassMode : std::uint8_t {
  binary,       ///< two classes, one output: the label is 0 or 1
  categorical,  ///< a row of zeros and a one, float32 [N][K]: HostBatch::targets
  sparse,       ///< the number of the class
  input,        ///< the sample itself as the model sees it (autoencoders); labels are -1
  none,         ///< nothing; labels are -1
};

[[nodiscard]] const char* to_string(ClassMode mode) noexcept;  ///< "binary"
/// Throws UsageError that lists the names.
[[nodiscard]] ClassMode class_mode_named(std::string_view name);

/// Throws UsageError for binary unless there are two classes.
void check_class_mode(ClassMode mode, std::int64_t classes);

/// Whether samples have the numbers of their classes.
[[nodiscard]] bool has_labels(ClassMode mode) noexcept;
/// HostBatch::target_width for this many classes.
[[nodiscard]] std::int64_t target_width(ClassMode mode, std::int64_t classes) noexcept;

}  // namespace millrace
