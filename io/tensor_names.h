#pragma once
// What programs do to the names of a model's tensors when they save it.

#include <string>
#include <vector>

namespace millrace {

/// The prefixes that wrappers of a model (DataParallel, torch.compile, a module of one's own) put
/// in front of all of these names, one behind the other: "module._orig_mod."; eight at most, empty
/// where there is none.
[[nodiscard]] std::string common_wrapper(const std::vector<std::string>& names);

}  // namespace millrace
