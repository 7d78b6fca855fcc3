#include <millrace/io/safetensors.h>

#include <millrace/core/error.h>
#include <millrace/io/detail/repeated_key.h>
#include <millrace/io/detail/stored_floats.h>
#include <millrace/io/detail/weight_kind.h>

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

namespace millrace {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxHeader = 100'000'000;
constexpr const char* kMetadata = "__metadata__";

struct ElementType {
  std::string_view name;
  std::uint64_t bits;
};
constexpr std::array<ElementType, 22> kTypes = {
    {{"BOOL", 8},        {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8},
     {"I8", 8},          {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8},
     {"F8_E5M2FNUZ", 8}, {"I16", 16},    {"U16", 16},    {"F16", 16},    {"BF16", 16},
     {"I32", 32},        {"U32", 32},    {"F32", 32},    {"C64", 64},    {"F64", 64},
     {"I64", 64},        {"U64", 64}}};

// Reads the header of one file; the errors name it.
class Header {
 public:
  explicit Header(const RandomAccessFile& file) : file_(file) {
    detail::check_weight_kind(file);
    std::uint64_t length = 0;
    if (file.size() < sizeof(length)) fail("too short for a safetensors file");
    file.read_at(0, std::as_writable_bytes(std::span(&length, 1)));
    if (length > kMaxHeader || length > file.size() - sizeof(length)) {
      if (length <= kMaxHeader && begins_header()) {
        fail(concat("it ends early, within its header of ", length, " bytes; get it again"));
      }
      fail(concat("its header claims ", length, " bytes; not a safetensors file, or damaged"));
    }
    std::string text(static_cast<std::size_t>(length), '\0');
    file.read_at(sizeof(length), std::as_writable_bytes(std::span(text)));
    data_ = sizeof(length) + length;
    parse(text);
  }

  Metadata metadata() const {
    Metadata result;
    if (!document_.contains(kMetadata)) return result;
    const json& entries = document_[kMetadata];
    if (!entries.is_object()) fail("its metadata are not an object");
    for (const auto& [key, value] : entries.items()) {
      if (!value.is_string()) fail(concat("its metadata '", key, "' are not text"));
      result.emplace(key, value.get<std::string>());
    }
    return result;
  }

  std::vector<SafetensorsFile::Tensor> tensors() const {
    std::vector<SafetensorsFile::Tensor> result;
    for (const auto& [name, entry] : document_.items()) {
      if (name != kMetadata) result.push_back(tensor(name, entry));
    }
    // An empty tensor may share its offset with the next one and comes before it.
    std::sort(result.begin(), result.end(), [](const auto& a, const auto& b) {
      return std::pair(a.offset, a.bytes) < std::pair(b.offset, b.bytes);
    });
    std::uint64_t end = data_;
    for (const auto& one : result) {
      if (one.offset != end) fail(one.name, "its data do not begin where the ones before end");
      end += one.bytes;
    }
    if (end != file_.size()) {
      fail(concat("has ", file_.size(), " bytes where its header describes ", end));
    }
    return result;
  }

 private:
  /// Whether the text after the length is one of JSON.
  [[nodiscard]] bool begins_header() const {
    char first = 0;
    if (file_.size() <= sizeof(std::uint64_t)) return false;
    file_.read_at(sizeof(std::uint64_t), std::as_writable_bytes(std::span(&first, 1)));
    return first == '{';
  }

  void parse(const std::string& text) {
    if (!text.starts_with('{')) fail("its header is not a JSON object; not a safetensors file");
    try {
      document_ = json::parse(text);
    } catch (const json::exception&) {
      fail("its header is not valid JSON; damaged");
    }
    // The parser keeps the last of two equal keys; the format forbids them.
    if (const std::optional<std::string> twice = detail::repeated_key(text)) {
      fail(*twice, "appears twice in the header");
    }
    if (!document_.is_object()) fail("its header is not a JSON object; not a safetensors file");
  }

  SafetensorsFile::Tensor tensor(const std::string& name, const json& entry) const {
    if (!entry.is_object() || entry.size() != 3 || !entry.contains("dtype") ||
        !entry.contains("shape") || !entry.contains("data_offsets") ||
        !entry["dtype"].is_string() || !entry["shape"].is_array() ||
        !entry["data_offsets"].is_array()) {
      fail(name, "expected dtype, shape and data_offsets");
    }
    SafetensorsFile::Tensor result;
    result.name = name;
    result.dtype = entry["dtype"].get<std::string>();
    const auto type = std::find_if(kTypes.begin(), kTypes.end(),
                                   [&](const ElementType& t) { return t.name == result.dtype; });
    if (type == kTypes.end()) fail(name, concat("unknown dtype '", result.dtype, "'"));

    const std::vector<std::uint64_t> offsets = numbers(name, entry["data_offsets"]);
    if (offsets.size() != 2 || offsets[0] > offsets[1]) {
      fail(name, "its data_offsets are no beginning and end");
    }
    if (offsets[1] > file_.size() - data_) {
      fail(name, "its numbers end beyond the file, which was cut or is damaged; get it again");
    }
    result.offset = data_ + offsets[0];
    result.bytes = offsets[1] - offsets[0];
    const std::uint64_t bits = shape_bits(name, entry["shape"], type->bits, result.shape);
    if (bits % 8 != 0 || bits / 8 != result.bytes) {
      fail(name, concat("shape ", result.shape, " of ", result.dtype, " does not take ",
                        result.bytes, " bytes"));
    }
    return result;
  }

  std::uint64_t shape_bits(const std::string& name, const json& array, std::uint64_t bits,
                           Shape& shape) const {
    const std::vector<std::uint64_t> extents = numbers(name, array);
    if (extents.size() > static_cast<std::size_t>(Shape::kMaxRank)) {
      fail(name, concat(extents.size(), " dimensions; at most ", Shape::kMaxRank, " are read"));
    }
    std::uint64_t product = bits;  // of the extents that are not zero: {2^62, 4, 0} is no shape
    for (std::size_t i = extents.size(); i > 0; --i) {
      const std::uint64_t extent = extents[i - 1];
      constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
      if (extent != 0 && product > kMost / extent) fail(name, "its shape overflows");
      product *= std::max<std::uint64_t>(extent, 1);
      bits *= extent;
      shape = shape.with_front(static_cast<std::int64_t>(extent));
    }
    return bits;
  }

  std::vector<std::uint64_t> numbers(const std::string& name, const json& array) const {
    std::vector<std::uint64_t> result;
    for (const json& element : array) {
      if (!element.is_number_unsigned()) fail(name, "a size or offset is not a whole number");
      result.push_back(element.get<std::uint64_t>());
    }
    return result;
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(concat(file_.path().string(), ": ", what));
  }
  [[noreturn]] void fail(const std::string& tensor, const std::string& what) const {
    throw Error(concat(file_.path().string(), ": tensor '", tensor, "': ", what));
  }

  const RandomAccessFile& file_;
  std::uint64_t data_ = 0;  // where the tensors begin
  json document_;
};

std::string header_of(std::span<const NamedTensor* const> tensors, const Metadata& metadata) {
  json document = json::object();
  if (!metadata.empty()) document[kMetadata] = metadata;
  std::uint64_t offset = 0;
  for (const NamedTensor* tensor : tensors) {
    const std::uint64_t end = offset + tensor->values.size_bytes();
    const auto extents = tensor->shape.extents();
    document[tensor->name] = {{"dtype", "F32"},
                              {"shape", std::vector<std::int64_t>(extents.begin(), extents.end())},
                              {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text;
  try {
    text = document.dump();
  } catch (const json::exception&) {
    throw UsageError("the name of a tensor or its metadata are not UTF-8");
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');  // so that the numbers are aligned in the file
  return text;
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                       const Metadata& metadata) {
  std::vector<const NamedTensor*> order;
  for (const NamedTensor& tensor : tensors) {
    MILLRACE_CHECK(static_cast<std::int64_t>(tensor.values.size()) == tensor.shape.elements(),
                   tensor.name, " of ", tensor.shape, " has ", tensor.values.size(), " values");
    if (tensor.name == kMetadata) throw UsageError(concat("no tensor can be named ", kMetadata));
    order.push_back(&tensor);
  }
  std::sort(order.begin(), order.end(), [](auto* a, auto* b) { return a->name < b->name; });
  for (std::size_t i = 1; i < order.size(); ++i) {
    if (order[i - 1]->name == order[i]->name) {
      throw UsageError(concat("two tensors are named '", order[i]->name, "'"));
    }
  }
  const std::string header = header_of(order, metadata);
  const std::uint64_t length = header.size();
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(header);
  for (const NamedTensor* tensor : order) file.write(std::as_bytes(tensor->values));
  file.commit();
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : file_(path) {
  const Header header(file_);
  metadata_ = header.metadata();
  tensors_ = header.tensors();
}

const SafetensorsFile::Tensor* SafetensorsFile::find(std::string_view name) const noexcept {
  const auto found = std::find_if(tensors_.begin(), tensors_.end(),
                                  [&](const Tensor& tensor) { return tensor.name == name; });
  return found == tensors_.end() ? nullptr : &*found;
}

void SafetensorsFile::read(std::string_view name, std::span<float> into) const {
  const Tensor* const tensor = find(name);
  if (tensor != nullptr && tensor->shape.elements() != static_cast<std::int64_t>(into.size())) {
    throw Error(concat(file_.path().string(), ": tensor '", name, "': has shape ", tensor->shape,
                       " where ", into.size(), " elements are expected"));
  }
  read(name, 0, into);
}

void SafetensorsFile::read(std::string_view name, std::uint64_t first,
                           std::span<float> into) const {
  const auto fail = [&](const std::string& what) {
    throw Error(concat(file_.path().string(), ": tensor '", name, "': ", what));
  };
  const Tensor* const tensor = find(name);
  if (tensor == nullptr) return fail("not in the file");
  const auto elements = static_cast<std::uint64_t>(tensor->shape.elements());
  if (first > elements || into.size() > elements - first) {
    fail(concat("has shape ", tensor->shape, " and no ", into.size(), " elements from ", first));
  }
  const std::size_t size = detail::weight_size(tensor->dtype);
  if (size == 0) {
    fail(concat("has type ", tensor->dtype, "; F32, F16, BF16 and F64 are read as weights"));
  }
  detail::read_floats(file_, tensor->dtype, tensor->offset + first * size, into);
}

}  // namespace millrace
