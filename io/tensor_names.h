#pragma once
// Changes that programs make to the names of a model's tensors when they save it.

#include <string>
#include <vector>

namespace millrace {

/// The prefixes that wrappers of a model (DataParallel, torch.compile, the user's own module) put
/// before all of these names, one after the other: "module._orig_mod."; eight at most, empty
/// if there is none.
[[nodiscard]] std::string common_wrapper(const std::vector<std::string>& names);

}  // namespace millrace
