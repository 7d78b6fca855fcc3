#include <millrace/io/idx.h>

#include <millrace/core/plural.h>
#include <millrace/image/image.h>
#include <millrace/io/decode.h>
#include <millrace/io/files.h>

#include <zlib.h>
#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <type_traits>
#include <utility>

namespace millrace {
namespace {

namespace fs = std::filesystem;

// A plain or gzip file as a stream of bytes.
class GzipFile {
 public:
  explicit GzipFile(const fs::path& path)
      : path_(path.string()),
        stored_(RandomAccessFile(path).size()),
        file_(::gzopen(path.c_str(), "rb")) {
    if (file_ == nullptr) fail("cannot be opened");
    ::gzbuffer(file_.get(), 1U << 16);
  }

  /// Bytes read, less than asked for at the end of the file.
  std::size_t read(std::span<std::uint8_t> into) {
    std::size_t done = 0;
    while (done < into.size()) {
      constexpr std::size_t kMost = 1U << 30;  // gzread counts in int
      const auto wanted = static_cast<unsigned>(std::min(kMost, into.size() - done));
      const int n = ::gzread(file_.get(), into.data() + done, wanted);
      if (n < 0) fail("damaged gzip data; get it again");
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
    }
    int error = Z_OK;
    ::gzerror(file_.get(), &error);
    if (error == Z_BUF_ERROR) fail("its gzip data end early; get it again");
    return done;
  }

  /// The most that a file of this length can hold: deflate makes at most 1032 bytes of one.
  [[nodiscard]] std::uint64_t most_bytes() const {
    return ::gzdirect(file_.get()) != 0 ? stored_ : stored_ * 1032;
  }

  [[noreturn]] void fail(const std::string& what) const { throw Error(path_ + ": " + what); }

 private:
  struct Close {
    void operator()(gzFile file) const { ::gzclose(file); }
  };
  std::string path_;
  std::uint64_t stored_;
  std::unique_ptr<std::remove_pointer_t<gzFile>, Close> file_;
};

Shape read_header(GzipFile& file) {
  std::array<std::uint8_t, 4> magic{};
  if (file.read(magic) != magic.size() || magic[0] != 0 || magic[1] != 0) {
    file.fail("not an IDX file; expected one such as train-images-idx3-ubyte");
  }
  if (magic[2] != 8)
    file.fail("an IDX file of other values than unsigned bytes, which is not read");
  const int rank = magic[3];
  if (rank < 1 || rank > Shape::kMaxRank) file.fail(concat("an IDX file of ", rank, " dimensions"));
  Shape shape;
  std::uint64_t elements = 1;
  std::array<std::uint8_t, 4 * Shape::kMaxRank> extents{};
  const std::span header(extents.data(), static_cast<std::size_t>(4 * rank));
  if (file.read(header) != header.size()) file.fail("ends within its header; get it again");
  for (std::size_t i = header.size(); i > 0; i -= 4) {
    std::uint32_t extent = 0;
    for (std::size_t j = i - 4; j < i; ++j) extent = (extent << 8) | header[j];
    shape = shape.with_front(extent);
    if (extent != 0 && elements > std::numeric_limits<std::uint64_t>::max() / extent) elements = 0;
    elements *= extent;
    if (elements == 0 || elements > file.most_bytes()) {
      file.fail("its header does not fit its length; get it again");
    }
  }
  return shape;
}

}  // namespace

IdxArray read_idx(const fs::path& path) {
  GzipFile file(path);
  IdxArray array;
  array.shape = read_header(file);
  array.values.resize(static_cast<std::size_t>(array.shape.elements()));
  if (file.read(array.values) != array.values.size()) {
    file.fail(concat("has fewer values than the ", array.shape, " of its header; get it again"));
  }
  std::uint8_t more = 0;
  if (file.read({&more, 1}) != 0) {
    file.fail(concat("has more values than the ", array.shape, " of its header; get it again"));
  }
  return array;
}

std::vector<std::string> fashion_mnist_classes() {
  return {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
          "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};
}

IdxDataset::IdxDataset(fs::path images, const fs::path& labels, std::vector<std::string> classes)
    : file_(images.string()), classes_(std::move(classes)) {
  IdxArray pixels = read_idx(images);
  IdxArray targets = read_idx(labels);
  const int rank = pixels.shape.rank();
  if (rank != 3 && !(rank == 4 && (pixels.shape[3] == 1 || pixels.shape[3] == 3))) {
    throw Error(concat(file_, ": images of shape ", pixels.shape,
                       "; expected [n][height][width] or [n][height][width][1 or 3]"));
  }
  if (targets.shape.rank() != 1 || targets.shape[0] != pixels.shape[0]) {
    throw Error(concat(labels.string(), ": labels of shape ", targets.shape, " for the ",
                       pixels.shape[0], ' ', plural(pixels.shape[0], "image"), " of ", file_,
                       "; the files do not belong together"));
  }
  shape_ = {pixels.shape[1], pixels.shape[2], rank == 4 ? pixels.shape[3] : 1};
  pixels_ = std::move(pixels.values);
  labels_ = std::move(targets.values);
  const std::size_t count = std::size_t{*std::max_element(labels_.begin(), labels_.end())} + 1;
  if (classes_.empty()) {
    for (std::size_t i = 0; i < count; ++i) classes_.push_back(std::to_string(i));
  } else if (classes_.size() < count) {
    throw Error(concat(labels.string(), ": label ", count - 1, " where there ",
                       classes_.size() == 1 ? "is " : "are ", classes_.size(), ' ',
                       plural(classes_.size(), "class", "classes")));
  }
}

int IdxDataset::label(std::uint32_t index) const {
  return labels_.at(index);
}

std::string IdxDataset::name(std::uint32_t index) const {
  return concat(file_, " #", index);
}

Bytes IdxDataset::index_bytes() const noexcept {
  return {sizeof(*this) + pixels_.capacity() + labels_.capacity()};
}

std::span<const std::uint8_t> IdxDataset::pixels(std::uint32_t index) const {
  MILLRACE_CHECK(index < size(), "sample ", index, " of ", size());
  const auto n = static_cast<std::size_t>(shape_.elements());
  return {pixels_.data() + index * n, n};
}

void IdxDataset::load(std::uint32_t index, TensorView target, Filter filter,
                      Decoder& decoder) const {
  const auto extent = [&](int dimension) { return static_cast<int>(shape_[dimension]); };
  decoder.fit({pixels(index).data(), extent(0), extent(1), extent(2)}, image_of(target), filter);
}

}  // namespace millrace
