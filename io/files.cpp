#include <millrace/io/files.h>

#include <millrace/core/error.h>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>
#include <utility>

namespace millrace {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& path, const char* what, int error) {
  throw Error(concat(path.string(), ": ", what, ": ", std::generic_category().message(error)));
}

// Closes on every way out. An error of close() after fsync() or reading says nothing new.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int number() const noexcept { return number_; }

 private:
  int number_;
};

// Bytes read, less than asked for only at the end of the file.
std::size_t read_fully(int descriptor, std::span<std::byte> into, const fs::path& path) {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t n = ::read(descriptor, into.data() + done, into.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(path, "cannot be read", errno);
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

// Without waiting for somebody to write, where it is a pipe; -1 with errno if it cannot be opened.
int try_open(const fs::path& path) {
  int descriptor = -1;
  do {
    descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  } while (descriptor < 0 && errno == EINTR);
  return descriptor;
}

int open_to_read(const fs::path& path) {
  const int descriptor = try_open(path);
  if (descriptor < 0) fail(path, "cannot be opened", errno);
  return descriptor;
}

struct stat status_of(int descriptor, const fs::path& path) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) fail(path, "cannot be read", errno);
  if (S_ISDIR(status.st_mode)) fail(path, "cannot be read", EISDIR);
  if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode)) {  // some never end
    throw Error(concat(path.string(), ": is a device, not a file"));
  }
  return status;
}

[[noreturn]] void too_long(const fs::path& path, const std::string& what, Bytes length,
                           Bytes most) {
  throw FileTooLong(
      concat(path.string(), ": ", what, ", more than the ", most, " that a file may be"), length);
}

// What has no length, a pipe or what the kernel makes up in /proc, is read until it ends.
std::size_t read_to_the_end(int descriptor, std::vector<std::byte>& buffer, const fs::path& path,
                            Bytes most) {
  constexpr std::size_t kPiece = 65536;
  const int flags = ::fcntl(descriptor, F_GETFL);
  ::fcntl(descriptor, F_SETFL, flags & ~O_NONBLOCK);  // whoever writes may take a while
  const std::uint64_t limit = std::max(most.count, most.count + 1);  // one more, to see that it is
  std::size_t size = 0;
  for (;;) {
    const std::size_t wanted = std::min<std::uint64_t>(size + kPiece, limit);
    if (wanted > buffer.capacity()) {
      buffer.reserve(std::min<std::uint64_t>(std::max(2 * size, wanted), limit));
    }
    buffer.resize(wanted);
    size += read_fully(descriptor, std::span(buffer).subspan(size), path);
    if (size > most.count) too_long(path, "has more to read", {}, most);
    if (size < wanted) return size;
  }
}

void write_fully(int descriptor, std::span<const std::byte> bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(descriptor, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(path, "cannot be written", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

}  // namespace

void read_file_into(const fs::path& path, std::vector<std::byte>& buffer, Bytes most) {
  const Descriptor file(open_to_read(path));
  const struct stat status = status_of(file.number(), path);
  const Bytes length{static_cast<std::uint64_t>(status.st_size)};
  if (length > most) too_long(path, concat("is ", length, " long"), length, most);
  // A file is read as long as it was when it was opened.
  buffer.resize(static_cast<std::size_t>(length.count));
  buffer.resize(length.count > 0 ? read_fully(file.number(), buffer, path)
                                 : read_to_the_end(file.number(), buffer, path, most));
}

std::size_t read_start(const fs::path& path, std::span<std::byte> into, std::error_code& error) {
  error.clear();
  const Descriptor file(try_open(path));
  std::size_t done = 0;
  while (file.number() >= 0 && done < into.size()) {
    const ssize_t n = ::read(file.number(), into.data() + done, into.size() - done);
    if (n == 0) return done;
    if (n > 0) done += static_cast<std::size_t>(n);
    if (n < 0 && errno != EINTR) break;
  }
  if (done < into.size()) {
    error = {errno, std::generic_category()};
    return 0;
  }
  return done;
}

std::vector<std::byte> read_file(const fs::path& path) {
  std::vector<std::byte> buffer;
  read_file_into(path, buffer);
  return buffer;
}

void write_file(const fs::path& path, std::span<const std::byte> bytes) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (file.number() < 0) fail(path, "cannot be written", errno);
  write_fully(file.number(), bytes, path);
}

RandomAccessFile::RandomAccessFile(fs::path path)
    : path_(std::move(path)), descriptor_(open_to_read(path_)) {
  try {
    size_ = static_cast<std::uint64_t>(status_of(descriptor_, path_).st_size);
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

RandomAccessFile::~RandomAccessFile() {
  ::close(descriptor_);
}

void RandomAccessFile::read_at(std::uint64_t offset, std::span<std::byte> into) const {
  while (!into.empty()) {
    const ssize_t n = ::pread(descriptor_, into.data(), into.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(path_, "cannot be read", errno);
    if (n == 0) throw Error(concat(path_.string(), ": ends early; get it again"));
    into = into.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
}

fs::path temporary_folder() {
  const char* const named = std::getenv("TMPDIR");
  if (named != nullptr && *named != '\0') return named;
  constexpr const char* kOnDisk = "/var/tmp";
  return ::access(kOnDisk, W_OK | X_OK) == 0 ? kOnDisk : "/tmp";
}

namespace {

// Some file systems cannot make files without a name; there it has one for a moment.
int open_unnamed(const fs::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
  if (descriptor >= 0) return descriptor;
  std::string name = (folder / "millrace-XXXXXX").string();
  const int named = ::mkostemp(name.data(), O_CLOEXEC);
  if (named < 0) {
    throw Error(concat(folder.string(), ": no temporary file can be made in it: ",
                       std::generic_category().message(errno), "; name another folder in TMPDIR"));
  }
  ::unlink(name.c_str());
  return named;
}

}  // namespace

TemporaryFile::TemporaryFile()
    : RandomAccessFile(temporary_folder(), open_unnamed(temporary_folder())) {}

bool TemporaryFile::is_in_memory() const {
  struct statfs status {};
  if (::fstatfs(descriptor_, &status) != 0) return false;
  return status.f_type == TMPFS_MAGIC || status.f_type == RAMFS_MAGIC;
}

void TemporaryFile::append(std::span<const std::byte> bytes) {
  write_fully(descriptor_, bytes, path_);
  size_ += bytes.size();
}

AppendFile::AppendFile(fs::path path) : path_(std::move(path)) {
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail(path_, "cannot be written", errno);
}

AppendFile::~AppendFile() {
  ::close(descriptor_);
}

void AppendFile::append(std::string_view piece) {
  try {
    write_fully(descriptor_, std::as_bytes(std::span(piece)), path_);
    size_ += piece.size();
  } catch (const Error&) {
    const auto whole = static_cast<off_t>(size_);
    // Both can only fail where writing did; the error is on its way.
    if (::ftruncate(descriptor_, whole) == 0) ::lseek(descriptor_, whole, SEEK_SET);
    throw;
  }
}

void create_folders(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) fail(path, "the directory cannot be made", error.value());
  // A link to nowhere or a file is not always an error to the library.
  if (!fs::is_directory(path, error)) fail(path, "the directory cannot be made", ENOTDIR);
}

void flush_folder(const fs::path& folder) noexcept {
  const Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.number() >= 0) ::fsync(directory.number());
}

void flush_file_system(const fs::path& folder) noexcept {
  const Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.number() >= 0) ::syncfs(directory.number());
}

AtomicFile::AtomicFile(fs::path target) : target_(std::move(target)) {
  const std::string stem = concat(".", target_.filename().string(), ".", ::getpid(), ".");
  for (int attempt = 0; descriptor_ < 0; ++attempt) {
    temporary_ = target_.parent_path() / concat(stem, attempt, ".tmp");
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ < 0 && errno != EEXIST) fail(target_, "cannot be written", errno);
  }
}

AtomicFile::~AtomicFile() {
  discard();
}

void AtomicFile::discard() noexcept {
  if (descriptor_ < 0) return;
  ::close(std::exchange(descriptor_, -1));
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  MILLRACE_CHECK(descriptor_ >= 0, target_.string(), " has been committed");
  write_fully(descriptor_, bytes, target_);
}

void AtomicFile::commit() {
  MILLRACE_CHECK(descriptor_ >= 0, target_.string(), " has been committed");
  if (::fsync(descriptor_) != 0) fail(target_, "cannot be written", errno);
  if (::rename(temporary_.c_str(), target_.c_str()) != 0)
    fail(target_, "cannot be replaced", errno);
  ::close(std::exchange(descriptor_, -1));
  // The new name is durable when the directory is.
  flush_folder(target_.has_parent_path() ? target_.parent_path() : fs::path("."));
}

}  // namespace millrace
