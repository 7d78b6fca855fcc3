#include <millrace/io/detail/torch_state.h>

#include <millrace/core/error.h>
#include <millrace/core/shown_text.h>

#include <algorithm>
#include <set>
#include <utility>

namespace millrace::detail {
namespace {

using Kind = PickleObject::Kind;

struct StorageType {
  std::string_view global, dtype;
  std::size_t size;
};
constexpr std::array<StorageType, 10> kStorages{{{"torch.FloatStorage", "F32", 4},
                                                 {"torch.DoubleStorage", "F64", 8},
                                                 {"torch.HalfStorage", "F16", 2},
                                                 {"torch.BFloat16Storage", "BF16", 2},
                                                 {"torch.LongStorage", "I64", 8},
                                                 {"torch.IntStorage", "I32", 4},
                                                 {"torch.ShortStorage", "I16", 2},
                                                 {"torch.CharStorage", "I8", 1},
                                                 {"torch.ByteStorage", "U8", 1},
                                                 {"torch.BoolStorage", "BOOL", 1}}};

constexpr std::size_t kShown = 100;       // characters of a name in a message
constexpr std::size_t kLongestKey = 100;  // of a storage; PyTorch's are numbers

constexpr std::string_view kTensor = "torch._utils._rebuild_tensor";
constexpr std::string_view kTensor2 = "torch._utils._rebuild_tensor_v2";
constexpr std::string_view kParameter = "torch._utils._rebuild_parameter";

constexpr auto kFunctions = [] {
  std::array<std::string_view, kStorages.size() + 4> names{"collections.OrderedDict", kTensor,
                                                           kTensor2, kParameter};
  for (std::size_t i = 0; i < kStorages.size(); ++i) names[i + 4] = kStorages[i].global;
  return names;
}();

/// Reads the objects of one pickle.
class Reader {
 public:
  explicit Reader(const Pickle& pickle) : pickle_(pickle) {}

  TorchState run() && {
    for (const PickleObject* id : pickle_.all(Kind::persistent)) note_storage(*id);
    const PickleObject& dict = state_dict();
    std::set<std::string_view> met;
    for (std::size_t i = 0; i < dict.parts.size(); i += 2) {
      const PickleObject &name = pickle_.part(dict, i), &value = pickle_.part(dict, i + 1);
      if (name.kind != Kind::text || !is_tensor(value)) continue;
      if (!met.insert(name.text).second) fail(name.text, "appears twice");
      state_.tensors.push_back(view(name.text, value));
    }
    return std::move(state_);
  }

 private:
  [[nodiscard]] bool is_call_of(const PickleObject& object, std::string_view function) const {
    return object.kind == Kind::call && pickle_.part(object, 0).text == function;
  }
  /// Part of a call's arguments; nothing if there are fewer.
  [[nodiscard]] const PickleObject* argument(const PickleObject& call, std::size_t index) const {
    const PickleObject& arguments = pickle_.part(call, 1);
    return index < arguments.parts.size() ? &pickle_.part(arguments, index) : nullptr;
  }
  /// The call that makes a tensor, of a parameter that of its data; nothing for other objects.
  [[nodiscard]] const PickleObject* tensor_call(const PickleObject& object) const {
    const bool is_parameter = is_call_of(object, kParameter);
    const PickleObject* const data = is_parameter ? argument(object, 0) : &object;
    const bool is_one =
        data != nullptr && (is_call_of(*data, kTensor) || is_call_of(*data, kTensor2));
    return is_one ? data : nullptr;
  }
  [[nodiscard]] bool is_tensor(const PickleObject& object) const {
    return is_call_of(object, kParameter) || tensor_call(object) != nullptr;
  }
  [[nodiscard]] bool holds_tensors(const PickleObject& dict) const {
    for (std::size_t i = 0; i < dict.parts.size(); i += 2) {
      if (pickle_.part(dict, i).kind == Kind::text && is_tensor(pickle_.part(dict, i + 1))) {
        return true;
      }
    }
    return false;
  }

  /// The states of optimizers have numbers for keys, and are not looked into.
  void find_states(const PickleObject& dict, const std::string& path, int depth,
                   std::vector<std::pair<std::string, const PickleObject*>>& found) {
    constexpr int kDeepest = 3;
    if (dict.kind != Kind::dict || depth > kDeepest || !looked_at_.insert(&dict).second) return;
    if (holds_tensors(dict)) found.emplace_back(path, &dict);
    for (std::size_t i = 0; i < dict.parts.size(); i += 2) {
      const PickleObject &name = pickle_.part(dict, i), &value = pickle_.part(dict, i + 1);
      if (name.kind != Kind::text || value.kind != Kind::dict) continue;
      const std::string inner = concat(path, path.empty() ? "" : ".", name.text.substr(0, kShown));
      find_states(value, inner, depth + 1, found);
    }
  }

  const PickleObject& state_dict() {
    std::vector<std::pair<std::string, const PickleObject*>> found;
    find_states(pickle_.root(), "", 0, found);
    constexpr const char* kAdvice = "torch.save(model.state_dict(), FILE) writes what is needed";
    if (found.empty()) throw Error(concat("holds no tensors by name; ", kAdvice));
    if (found.size() == 1) return *found.front().second;
    const auto name = [](const std::string& path) {
      return path.empty() ? std::string("the file itself") : shown(path);
    };
    throw Error(concat("holds tensors in more than one place, ", name(found[0].first), " and ",
                       name(found[1].first), "; save the one that is meant alone"));
  }

  void note_storage(const PickleObject& object) {
    const PickleObject& id = pickle_.part(object, 0);
    const bool is_whole = id.kind == Kind::tuple && (id.parts.size() == 5 || id.parts.size() == 6);
    const auto part = [&](std::size_t i) -> const PickleObject& { return pickle_.part(id, i); };
    if (!is_whole || part(0).text != "storage" || part(1).kind != Kind::global ||
        part(2).kind != Kind::text || part(2).text.size() > kLongestKey ||
        part(4).kind != Kind::integer || part(4).integer < 0) {
      is_damaged("its pickle describes a storage in no known way");
    }
    if (id.parts.size() == 6 && part(5).kind != Kind::none) {
      throw Error(
          "its storages are parts of others, as PyTorch wrote them before 0.4; load and save it "
          "with a later one");
    }
    const auto type = std::find_if(kStorages.begin(), kStorages.end(), [&](const StorageType& one) {
      return one.global == part(1).text;
    });
    if (type == kStorages.end()) is_damaged("its pickle describes a storage of no known type");
    const TorchStorage storage{std::string(type->dtype), type->size, part(4).integer};
    const auto [known, is_new] = state_.storages.emplace(part(2).text, storage);
    if (!is_new &&
        (known->second.dtype != storage.dtype || known->second.elements != storage.elements)) {
      is_damaged("its pickle describes a storage in two ways");
    }
  }

  TorchView view(const std::string& name, const PickleObject& object) const {
    const PickleObject* const call = tensor_call(object);
    const PickleObject* const storage = call == nullptr ? nullptr : argument(*call, 0);
    const PickleObject* const offset = call == nullptr ? nullptr : argument(*call, 1);
    const PickleObject* const sizes = call == nullptr ? nullptr : argument(*call, 2);
    const PickleObject* const strides = call == nullptr ? nullptr : argument(*call, 3);
    if (strides == nullptr || storage->kind != Kind::persistent || offset->kind != Kind::integer ||
        sizes->kind != Kind::tuple || strides->kind != Kind::tuple) {
      fail(name, "is described in no known way; damaged");
    }
    TorchView result;
    result.name = name;
    result.storage = pickle_.part(pickle_.part(*storage, 0), 2).text;
    result.offset = offset->integer;
    result.shape = shape_of(name, *sizes);
    take_strides(name, *strides, result);
    check_within(result);
    if (const PickleObject* const marks = argument(*call, 6)) check_marks(name, *marks);
    return result;
  }

  /// Bits of a tensor whose numbers are stored otherwise than they are, the seventh argument.
  void check_marks(const std::string& name, const PickleObject& marks) const {
    if (marks.kind == Kind::none) return;
    if (marks.kind != Kind::dict) fail(name, "is described in no known way; damaged");
    for (std::size_t i = 0; i < marks.parts.size(); i += 2) {
      const PickleObject &mark = pickle_.part(marks, i), &is_set = pickle_.part(marks, i + 1);
      if (is_set.kind == Kind::boolean && is_set.integer == 0) continue;
      const std::string bit = shown(mark.text.substr(0, kShown));
      fail(name, bit == "neg" || bit == "conj"
                     ? concat("its ", bit, " bit is set; save it with .resolve_", bit, "()")
                     : concat("has the mark ", bit, ", which is not known"));
    }
  }

  Shape shape_of(const std::string& name, const PickleObject& sizes) const {
    if (sizes.parts.size() > static_cast<std::size_t>(Shape::kMaxRank)) {
      fail(name, concat(sizes.parts.size(), " dimensions; at most ", Shape::kMaxRank, " are read"));
    }
    std::int64_t product = 1;  // of the extents that are not zero: {2^62, 4, 0} is no shape
    Shape shape;
    for (std::size_t i = sizes.parts.size(); i > 0; --i) {
      const PickleObject& size = pickle_.part(sizes, i - 1);
      if (size.kind != Kind::integer || size.integer < 0) fail(name, "a size is no whole number");
      const std::int64_t extent = std::max<std::int64_t>(size.integer, 1);
      if (__builtin_mul_overflow(product, extent, &product)) fail(name, "its shape overflows");
      shape = shape.with_front(size.integer);
    }
    return shape;
  }

  void take_strides(const std::string& name, const PickleObject& strides, TorchView& view) const {
    if (strides.parts.size() != static_cast<std::size_t>(view.shape.rank())) {
      fail(name, concat(strides.parts.size(), " strides for the shape ", view.shape));
    }
    for (std::size_t i = 0; i < strides.parts.size(); ++i) {
      const PickleObject& stride = pickle_.part(strides, i);
      if (stride.kind != Kind::integer || stride.integer < 0) {
        fail(name, "a stride is no whole number");
      }
      view.strides[i] = stride.integer;
    }
  }

  void check_within(const TorchView& view) const {
    const std::int64_t elements = state_.storages.at(view.storage).elements;
    std::int64_t last = view.offset;
    bool is_within = view.offset >= 0;
    for (int d = 0; d < view.shape.rank() && view.shape.elements() > 0; ++d) {
      std::int64_t reach = 0;
      is_within = is_within &&
                  !__builtin_mul_overflow(view.shape[d] - 1,
                                          view.strides[static_cast<std::size_t>(d)], &reach) &&
                  !__builtin_add_overflow(last, reach, &last);
    }
    is_within = is_within && (view.shape.elements() == 0 || last < elements);
    if (is_within) return;
    fail(view.name,
         concat("shape ", view.shape, ", strides and offset reach beyond its storage of ", elements,
                " elements"));
  }

  [[noreturn]] static void fail(const std::string& tensor, const std::string& what) {
    throw Error(concat("tensor '", shown(tensor.substr(0, kShown)), "': ", what));
  }

  const Pickle& pickle_;
  TorchState state_;
  std::set<const PickleObject*> looked_at_;
};

}  // namespace

std::span<const std::string_view> torch_functions() noexcept {
  return kFunctions;
}

TorchState torch_state(const Pickle& pickle) {
  return Reader(pickle).run();
}

}  // namespace millrace::detail
