#include <millrace/io/checkpoint.h>

#include <millrace/io/files.h>
#include <millrace/io/safetensors.h>

#include <zlib.h>
#include <algorithm>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <span>

namespace millrace {
namespace {

using nlohmann::json;

constexpr const char* kFormatKey = "format";
constexpr std::string_view kFormat = "millrace checkpoint 1";
constexpr std::string_view kFormatFamily = "millrace checkpoint ";
constexpr const char* kChecksum = "checksum";
// Bytes that are still in the cache when the second of file and checksum takes them.
constexpr std::size_t kPiece = 1 << 20;

// CRC-32 (of zlib) of all that passes, a piece at a time.
class Checksum {
 public:
  void add(std::span<const std::byte> bytes) {
    const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
    value_ = static_cast<std::uint32_t>(::crc32_z(value_, data, bytes.size()));
  }
  [[nodiscard]] const std::uint32_t& value() const noexcept { return value_; }

 private:
  std::uint32_t value_ = 0;
};

template <class Byte, class Body>
void for_each_piece(std::span<Byte> bytes, Body body) {
  while (!bytes.empty()) {
    const std::span piece = bytes.first(std::min(bytes.size(), kPiece));
    body(piece);
    bytes = bytes.subspan(piece.size());
  }
}

std::string header_of(const Checkpoint& checkpoint) {
  json document = {{"__metadata__", checkpoint.values}};
  document["__metadata__"][kFormatKey] = kFormat;
  std::uint64_t offset = 0;
  const auto declare = [&](const std::string& name, const char* dtype, std::uint64_t count) {
    const std::uint64_t end = offset + count * sizeof(float);
    document[name] = {{"dtype", dtype},
                      {"shape", json::array({count})},
                      {"data_offsets", json::array({offset, end})}};
    offset = end;
  };
  for (const auto& [name, values] : checkpoint.arrays) declare(name, "F32", values.size());
  declare(kChecksum, "U32", 1);
  std::string text;
  try {
    text = document.dump();
  } catch (const json::exception&) {
    throw UsageError("a name or value of a checkpoint is not UTF-8");
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');  // so that the numbers are aligned in the file
  return text;
}

// Reads the file front to back; what is wrong with it is said with its name.
class Reader {
 public:
  Reader(const std::filesystem::path& path, bool keeps_arrays)
      : file_(path), keeps_arrays_(keeps_arrays) {}

  Checkpoint read() {
    const std::vector<SafetensorsFile::Tensor>& tensors = file_.tensors();
    const bool has_checksum = !tensors.empty() && tensors.back().name == kChecksum &&
                              tensors.back().dtype == "U32" && tensors.back().bytes == 4;
    if (!has_checksum) fail("is not a checkpoint, or damaged");
    read_header(tensors.front().offset);
    Checkpoint result{file_.metadata(), {}, file_.file().path().string()};
    for (const SafetensorsFile::Tensor& tensor : std::span(tensors).first(tensors.size() - 1)) {
      if (tensor.dtype != "F32") fail(concat("'", tensor.name, "' is not F32; damaged"));
      std::vector<float>& values = result.arrays[tensor.name];
      if (keeps_arrays_)
        read_array(tensor, values);
      else
        pass_over(tensor);
    }
    std::uint32_t expected = 0;
    file_.file().read_at(tensors.back().offset, std::as_writable_bytes(std::span(&expected, 1)));
    if (expected != checksum_.value()) fail("damaged: its checksum is not that of its bytes");
    check_format(result.values[kFormatKey]);
    result.values.erase(kFormatKey);
    return result;
  }

 private:
  // The length is that of the data's begin, which the header was parsed with.
  void read_header(std::uint64_t length) {
    std::vector<std::byte> bytes(static_cast<std::size_t>(length));
    file_.file().read_at(0, bytes);
    checksum_.add(bytes);
  }

  void read_array(const SafetensorsFile::Tensor& tensor, std::vector<float>& into) {
    into.resize(static_cast<std::size_t>(tensor.shape.elements()));
    std::uint64_t offset = tensor.offset;
    for_each_piece(std::as_writable_bytes(std::span(into)), [&](std::span<std::byte> piece) {
      file_.file().read_at(offset, piece);
      checksum_.add(piece);
      offset += piece.size();
    });
  }

  void pass_over(const SafetensorsFile::Tensor& tensor) {
    std::vector<std::byte> piece;
    for (std::uint64_t done = 0; done < tensor.bytes; done += piece.size()) {
      piece.resize(static_cast<std::size_t>(std::min<std::uint64_t>(tensor.bytes - done, kPiece)));
      file_.file().read_at(tensor.offset + done, piece);
      checksum_.add(piece);
    }
  }

  void check_format(const std::string& format) const {
    if (!format.starts_with(kFormatFamily)) fail("is not a checkpoint");
    if (format != kFormat) {
      fail(concat("is a '", format, "'; this program reads '", kFormat, "'"));
    }
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(concat(file_.file().path().string(), ": ", what));
  }

  SafetensorsFile file_;
  bool keeps_arrays_;
  Checksum checksum_;
};

}  // namespace

const std::vector<float>& Checkpoint::array(const std::string& name, std::size_t size) const {
  const auto found = arrays.find(name);
  if (found == arrays.end()) fail(concat("has no array '", name, "'"));
  if (found->second.size() != size) {
    fail(concat("array '", name, "' has ", found->second.size(), " elements where ", size,
                " are expected; it is of another model"));
  }
  return found->second;
}

const std::string& Checkpoint::value(const std::string& key) const {
  const auto found = values.find(key);
  if (found == values.end()) fail(concat("has no value '", key, "'"));
  return found->second;
}

void Checkpoint::fail(const std::string& what) const {
  throw Error(concat(source.empty() ? "checkpoint" : source, ": ", what));
}

void write_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint) {
  for (const char* reserved : {kChecksum, "__metadata__"}) {
    if (checkpoint.arrays.contains(reserved)) {
      throw UsageError(concat("no array of a checkpoint can be named '", reserved, "'"));
    }
  }
  if (checkpoint.values.contains(kFormatKey)) {
    throw UsageError(concat("no value of a checkpoint can be named '", kFormatKey, "'"));
  }
  const std::string header = header_of(checkpoint);
  const std::uint64_t length = header.size();
  AtomicFile file(path);
  Checksum checksum;
  const auto write = [&](std::span<const std::byte> bytes) {
    for_each_piece(bytes, [&](std::span<const std::byte> piece) {
      checksum.add(piece);
      file.write(piece);
    });
  };
  write(std::as_bytes(std::span(&length, 1)));
  write(std::as_bytes(std::span(header)));
  for (const auto& [name, values] : checkpoint.arrays) write(std::as_bytes(std::span(values)));
  file.write(std::as_bytes(std::span(&checksum.value(), 1)));
  file.commit();
}

Checkpoint read_checkpoint(const std::filesystem::path& path) {
  return Reader(path, true).read();
}

Checkpoint read_checkpoint_values(const std::filesystem::path& path) {
  return Reader(path, false).read();
}

}  // namespace millrace
