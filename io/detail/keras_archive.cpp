#include <millrace/io/detail/keras_archive.h>

#include <millrace/core/error.h>
#include <millrace/io/detail/file_input.h>
#include <millrace/io/detail/zip_directory.h>

#include <fcntl.h>
#include <unistd.h>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <utility>

namespace millrace::detail {
namespace {

[[noreturn]] void cannot_copy(const std::filesystem::path& to) {
  throw Error(concat("its weights cannot be copied to ", to.string(), ": ", std::strerror(errno)));
}

/// A copy, since the library that reads it needs a file of its own.
std::unique_ptr<TemporaryCopy> unpacked(const RandomAccessFile& file, const ZipDirectory& archive,
                                        const ZipMember& member) {
  auto copy = std::make_unique<TemporaryCopy>();
  const bool is_whole = has_checksum(file, archive.content(member), member.size, member.crc,
                                     [&](std::span<const std::byte> part) { copy->append(part); });
  copy->close();
  if (!is_whole) is_damaged("the checksum of its weights is another");
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
    const std::uint64_t begin = archive.checked_content(*description);
    FileInput input(file, begin, begin + description->size);
    const std::string text = input.text(description->size);
    result.is_channels_first = text.find("\"channels_first\"") != std::string::npos;
  }
  result.weights = unpacked(file, archive, *weights);
  return result;
}

}  // namespace millrace::detail
