#include <millrace/io/torch_file.h>

#include <millrace/core/error.h>
#include <millrace/core/shown_text.h>
#include <millrace/io/detail/stored_floats.h>
#include <millrace/io/detail/torch_state.h>
#include <millrace/io/detail/unread.h>
#include <millrace/io/detail/weight_kind.h>
#include <millrace/io/detail/zip_directory.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

namespace millrace {
namespace {

using detail::is_damaged;
using detail::Pickle;
using detail::PickleObject;
using detail::TorchStorage;
using detail::ZipDirectory;
using detail::ZipMember;
using Kind = PickleObject::Kind;

constexpr std::string_view kPickle = "/data.pkl";
/// 0x1950a86a20f9469cfc6c, the first object of the form without an archive.
constexpr std::string_view kMagic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
constexpr std::int64_t kProtocol = 1001;  // the second one
// What a view spans of its storage takes memory: at most this many elements, and this many more for
// each of its own.
constexpr std::uint64_t kSpannedByAny = 1 << 20, kSpannedByEach = 64;

std::uint64_t bytes_of(const TorchStorage& storage) {
  const auto elements = static_cast<std::uint64_t>(storage.elements);  // at most 2^63 - 1
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(elements, storage.element_size, &bytes)) detail::ends_early();
  return bytes;
}

/// The one member "NAME/data.pkl"; throws Error if it is another kind of archive.
std::string folder_of(const ZipDirectory& archive) {
  std::string folder;
  for (const ZipMember& member : archive.members()) {
    const bool is_it = member.name.ends_with(kPickle) &&
                       member.name.find('/') == member.name.size() - kPickle.size();
    if (!is_it) continue;
    if (!folder.empty()) is_damaged("its archive holds two of data.pkl");
    folder = member.name.substr(0, member.name.size() - kPickle.size());
  }
  if (folder.empty())
    throw Error(
        "a zip archive with neither data.pkl, as torch.save writes it, nor Keras's "
        "model.weights.h5");
  if (archive.find(folder + "/constants.pkl") != nullptr) {
    throw Error(
        "a program of TorchScript, which is not run; save the state_dict of its module: "
        "torch.save(torch.jit.load(FILE).state_dict(), OUT)");
  }
  return folder;
}

[[noreturn]] void is_other_pickle() {
  throw Error(
      "a Python pickle that torch.save did not write; pickles can run code, so only torch.save's "
      "are read; save the state_dict with it, or as safetensors");
}

}  // namespace

/// Lists the tensors of a file that is being opened; its errors do not name the file.
class TorchFile::Opening {
 public:
  explicit Opening(TorchFile& to) : to_(to), file_(to.file_) {}

  void run() {
    detail::form_of(file_) == detail::WeightForm::zip ? open_archive() : open_pickles();
    for (const detail::TorchView& view : state_.tensors) {
      const TorchStorage& storage = state_.storages.at(view.storage);
      Tensor& tensor = to_.tensors_.emplace_back();
      tensor.name = view.name;
      tensor.dtype = storage.dtype;
      tensor.shape = view.shape;
      tensor.storage = places_.at(view.storage);
      tensor.offset = to_.storages_[tensor.storage].begin +
                      static_cast<std::uint64_t>(view.offset) * storage.element_size;
      for (int d = 0; d < view.shape.rank(); ++d) {
        // The stride of an extent of one says nothing, and may be any.
        const auto at = static_cast<std::size_t>(d);
        tensor.strides[at] = view.shape[d] > 1 ? view.strides[at] : 0;
      }
    }
  }

 private:
  void open_archive() {
    const ZipDirectory archive(file_);
    const std::string folder = folder_of(archive);
    check_byte_order(archive, folder);
    const ZipMember& list = *archive.find(folder + std::string(kPickle));
    const std::uint64_t begin = archive.checked_content(list);
    detail::FileInput input(file_, begin, begin + list.size);
    state_ = torch_state(Pickle(input, detail::torch_functions()));
    for (const auto& [key, storage] : state_.storages) {
      const ZipMember* const member = archive.find(concat(folder, "/data/", key));
      if (member == nullptr) is_damaged(concat("it has no storage ", shown(key)));
      if (member->size < bytes_of(storage)) is_too_short(key, storage, member->size);
      place(key, {archive.content(*member), member->size, member->crc});
    }
  }

  void check_byte_order(const ZipDirectory& archive, const std::string& folder) const {
    const ZipMember* const order = archive.find(folder + "/byteorder");
    if (order == nullptr) return;  // older than the question
    const std::uint64_t begin = archive.checked_content(*order);
    detail::FileInput input(file_, begin, begin + order->size);
    if (input.text(order->size) != "little") refuse_byte_order();
  }

  [[noreturn]] static void refuse_byte_order() {
    throw Error(
        "its numbers are big-endian; load and save it again on a little-endian machine, as x86 "
        "and ARM are");
  }

  void open_pickles() {
    detail::FileInput input(file_, 0, file_.size());
    check_magic(input);
    const Pickle protocol(input, {});
    if (protocol.root().integer != kProtocol) is_damaged("its protocol is not 1001");
    const Pickle system(input, {});
    const PickleObject* const little = system.value(system.root(), "little_endian");
    if (little == nullptr || little->kind != Kind::boolean) is_damaged("it has no byte order");
    if (little->integer == 0) refuse_byte_order();
    state_ = torch_state(Pickle(input, detail::torch_functions()));
    take_storages(input);
  }

  static void check_magic(detail::FileInput& input) {
    const Pickle magic(input, {});
    const PickleObject& root = magic.root();
    if (root.kind != Kind::long_integer || root.text != kMagic) is_other_pickle();
  }

  /// A count and the numbers of each storage, in the order of a list.
  void take_storages(detail::FileInput& input) {
    const Pickle keys(input, {});
    if (keys.root().kind != Kind::list) is_damaged("it has no list of storages");
    std::uint64_t at = input.at();
    for (std::size_t i = 0; i < keys.root().parts.size(); ++i) {
      const std::string& key = keys.part(keys.root(), i).text;
      const auto known = state_.storages.find(key);
      if (known == state_.storages.end() || places_.contains(key)) {
        is_damaged("its list of storages is not that of its pickle");
      }
      detail::FileInput header(file_, at, file_.size());
      const std::uint64_t count = header.number(sizeof(std::uint64_t));
      const std::uint64_t bytes = bytes_of(known->second);
      if (count != static_cast<std::uint64_t>(known->second.elements)) {
        is_damaged(concat("its storage ", shown(key), " has two sizes, ", known->second.elements,
                          " and ", count));
      }
      if (header.left() < bytes) is_too_short(key, known->second, header.left());
      place(key, {header.at(), bytes, 0});
      at = header.at() + bytes;
    }
    if (places_.size() != state_.storages.size()) is_damaged("it lacks a storage");
    if (at != file_.size()) {
      is_damaged(concat("it has ", file_.size() - at, " bytes after its last storage"));
    }
  }

  [[noreturn]] static void is_too_short(const std::string& key, const TorchStorage& storage,
                                        std::uint64_t bytes) {
    throw Error(concat("its storage ", shown(key), " has ", bytes, " bytes where ",
                       storage.elements, " elements of ", storage.dtype,
                       " are claimed; get it again"));
  }

  void place(const std::string& key, const Storage& storage) {
    places_.emplace(key, to_.storages_.size());
    to_.storages_.push_back(storage);
  }

  TorchFile& to_;
  const RandomAccessFile& file_;
  detail::TorchState state_;
  std::map<std::string, std::size_t> places_;  // of storages, by key
};

TorchFile::TorchFile(const std::filesystem::path& path) : file_(path) {
  try {
    Opening(*this).run();
  } catch (const Error& error) {
    throw Error(concat(path.string(), ": ", error.what()));
  }
}

void TorchFile::read(std::size_t tensor, std::uint64_t first, std::span<float> into) const {
  const Tensor& one = tensors_[tensor];
  const auto elements = static_cast<std::uint64_t>(one.shape.elements());
  MILLRACE_CHECK(first <= elements && into.size() <= elements - first, one.name, " of ", one.shape,
                 " has no ", into.size(), " elements from ", first);
  if (into.empty()) return;
  check(one);
  std::int64_t expected = 1;
  bool is_contiguous = true;
  for (int d = one.shape.rank() - 1; d >= 0; --d) {
    const std::int64_t stride = one.strides[static_cast<std::size_t>(d)];
    is_contiguous = is_contiguous && (one.shape[d] == 1 || stride == expected);
    expected *= one.shape[d];
  }
  if (!is_contiguous) return gather(tensor, first, into);
  const std::size_t size = detail::weight_size(one.dtype);
  detail::read_floats(file_, one.dtype, one.offset + first * size, into);
}

void TorchFile::fail(const Tensor& tensor, const std::string& what) const {
  throw Error(concat(file_.path().string(), ": tensor '", tensor.name, "': ", what));
}

void TorchFile::check(const Tensor& tensor) const {
  if (detail::weight_size(tensor.dtype) == 0) {
    fail(tensor, concat("has type ", tensor.dtype, "; F32, F16, BF16 and F64 are read as weights"));
  }
  Storage& storage = storages_[tensor.storage];
  if (storage.crc == 0) return;
  if (!detail::has_checksum(file_, storage.begin, storage.bytes, storage.crc)) {
    fail(tensor, "its numbers are damaged (the checksum is another); get the file again");
  }
  storage.crc = 0;  // checked
}

void TorchFile::gather(std::size_t tensor, std::uint64_t first, std::span<float> into) const {
  const Tensor& one = tensors_[tensor];
  const int rank = one.shape.rank();
  std::array<std::int64_t, Shape::kMaxRank> index{};
  std::int64_t at = 0, last = 0;
  std::int64_t rest = static_cast<std::int64_t>(first);
  for (int d = rank - 1; d >= 0; --d) {
    const auto place = static_cast<std::size_t>(d);
    index[place] = rest % one.shape[d];
    rest /= one.shape[d];
    at += index[place] * one.strides[place];
    last += (one.shape[d] - 1) * one.strides[place];
  }
  const auto elements = static_cast<std::uint64_t>(one.shape.elements());
  if (spanned_.empty() || gathered_ != tensor) {
    const std::uint64_t span = static_cast<std::uint64_t>(last) + 1;
    if (span > kSpannedByAny && (span - kSpannedByAny) / kSpannedByEach > elements) {
      fail(one, concat("its ", elements, " elements are spread over ", span,
                       "; save it with .contiguous()"));
    }
    std::vector<float> numbers(static_cast<std::size_t>(span));
    detail::read_floats(file_, one.dtype, one.offset, numbers);
    spanned_ = std::move(numbers);
    gathered_ = tensor;
  }
  for (float& value : into) {
    value = spanned_[static_cast<std::size_t>(at)];
    for (int d = rank - 1; d >= 0; --d) {
      const auto place = static_cast<std::size_t>(d);
      at += one.strides[place];
      if (++index[place] < one.shape[d]) break;
      at -= one.strides[place] * one.shape[d];
      index[place] = 0;
    }
  }
  if (first + into.size() == elements) spanned_ = {};
}

}  // namespace millrace
