#pragma once
// A model as readable JSON, also for the metadata of a weight file.

#include <millrace/nn/model.h>

#include <string>
#include <string_view>

namespace millrace::nn {

/// Pretty-printed, stable order of keys. model_from_json(to_json(m)) equals m.
[[nodiscard]] std::string to_json(const Model& model);

/// Reads and validates. Throws Error that names the key ("layers[3].filters: expected a positive
/// number"). The text is untrusted: unknown kinds and keys are errors, sizes are checked.
[[nodiscard]] Model model_from_json(std::string_view text);

}  // namespace millrace::nn
