#pragma once
// What torch.save writes of a model, taken out of its pickle: the tensors of a state_dict by name,
// each a view of a storage that lies outside of the pickle.

#include <millrace/core/shape.h>
#include <millrace/io/detail/pickle.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::detail {

/// Numbers of one type in a row.
struct TorchStorage {
  std::string dtype;  ///< as safetensors call it, "F32"
  std::size_t element_size = 0;
  std::int64_t elements = 0;
};

/// A tensor's element with the indices i lies at offset + sum of i[d] * strides[d].
struct TorchView {
  std::string name;
  std::string storage;  ///< its key
  Shape shape;
  std::array<std::int64_t, Shape::kMaxRank> strides{};  ///< not negative
  std::int64_t offset = 0;
};

struct TorchState {
  std::map<std::string, TorchStorage> storages;  ///< all that the pickle refers to, by key
  std::vector<TorchView> tensors;                ///< of the state_dict, in its order
};

/// The globals that pickles of torch.save need for tensors (pickle.h).
[[nodiscard]] std::span<const std::string_view> torch_functions() noexcept;

/// The state_dict is the pickled object, or the one dict in it that holds tensors by name:
/// {"epoch": 3, "state_dict": ...}. Throws Error, without the name of the file: there is none or
/// more than one, a name appears twice, or a tensor does not lie within its storage.
[[nodiscard]] TorchState torch_state(const Pickle& pickle);

}  // namespace millrace::detail
