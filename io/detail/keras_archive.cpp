#include <millrace/io/detail/keras_archive.h>

#include <millrace/core/error.h>
#include <millrace/io/detail/file_input.h>
#include <millrace/io/detail/zip_directory.h>

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace millrace::detail {
namespace {

constexpr std::uint64_t kLongestDescription = 64 << 20;

[[noreturn]] void cannot_copy(const std::filesystem::path& to) {
  throw Error(concat("its weights cannot be copied to ", to.string(), ": ", std::strerror(errno)));
}

/// A copy, since the library that reads it needs a file of its own.
std::unique_ptr<TemporaryCopy> unpacked(const RandomAccessFile& file, const ZipDirectory& archive,
                                        const ZipMember& member) {
  auto copy = std::make_unique<TemporaryCopy>();
  std::vector<std::byte> piece(1 << 20);
  uLong sum = 0;
  std::uint64_t at = archive.content(member);
  for (std::uint64_t left = member.size; left > 0;) {
    const auto part = std::span(piece).first(
        static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), left)));
    file.read_at(at, part);
    sum = ::crc32_z(sum, reinterpret_cast<const Bytef*>(part.data()), part.size());
    copy->append(part);
    at += part.size();
    left -= part.size();
  }
  copy->close();
  if (sum != member.crc) is_damaged("the checksum of its weights is another");
  return copy;
}

}  // namespace

TemporaryCopy::TemporaryCopy() {
  const std::filesystem::path folder = temporary_folder();
  std::string name = (folder / "millrace-XXXXXX").string();
  const int descriptor = ::mkostemp(name.data(), O_CLOEXEC);
  if (descriptor < 0) cannot_copy(folder);
  path_ = name;
  file_ = ::fdopen(descriptor, "wb");
  if (file_ == nullptr) cannot_copy(path_);
}

TemporaryCopy::~TemporaryCopy() {
  if (file_ != nullptr) (void)std::fclose(file_);
  (void)::unlink(path_.c_str());
}

void TemporaryCopy::append(std::span<const std::byte> bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) cannot_copy(path_);
}

void TemporaryCopy::close() {
  if (std::fclose(std::exchange(file_, nullptr)) != 0) cannot_copy(path_);
}

KerasArchive open_keras_archive(const RandomAccessFile& file) {
  const ZipDirectory archive(file);
  KerasArchive result;
  const ZipMember* const weights = archive.find("model.weights.h5");
  if (weights == nullptr) return result;
  const ZipMember* const description = archive.find("config.json");
  if (description != nullptr) {
    if (description->size > kLongestDescription) is_damaged("its description is endless");
    const std::uint64_t begin = archive.content(*description);
    FileInput input(file, begin, begin + description->size);
    const std::string text = input.text(description->size);
    result.is_channels_first = text.find("\"channels_first\"") != std::string::npos;
  }
  result.weights = unpacked(file, archive, *weights);
  return result;
}

}  // namespace millrace::detail
