#include <millrace/io/detail/tar_reader.h>

#include <millrace/core/shown_text.h>
#include <millrace/io/detail/archive_input.h>

#include <archive_entry.h>
#include <locale.h>

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <utility>

namespace millrace::detail {
namespace {

constexpr std::uint64_t kBlock = 512;

/// The locale "C" for this thread. libarchive turns names that are said to be UTF-8 into the
/// locale's characters, Unicode's other forms included; in this one, where it cannot, it leaves
/// them as they are.
class PlainNames {
 public:
  PlainNames() : before_(::uselocale(plain())) {}
  ~PlainNames() { ::uselocale(before_); }
  PlainNames(const PlainNames&) = delete;
  PlainNames& operator=(const PlainNames&) = delete;

 private:
  static locale_t plain() {
    static const locale_t locale = ::newlocale(LC_ALL_MASK, "C", nullptr);
    return locale;
  }
  locale_t before_;
};

/// Whether a warning is of names alone: that they were left as they are.
bool is_of_names(const char* warning) {
  return warning != nullptr &&
         std::string_view(warning).find("can't be converted") != std::string_view::npos;
}

TarMember::Kind kind_of(::archive_entry* entry) {
  if (::archive_entry_hardlink(entry) != nullptr) return TarMember::link;
  if (::archive_entry_filetype(entry) == AE_IFLNK) return TarMember::link;
  if (::archive_entry_filetype(entry) != AE_IFREG) return TarMember::other;
  return ::archive_entry_sparse_count(entry) > 0 ? TarMember::sparse : TarMember::file;
}

}  // namespace

struct TarReader::Archive {
  Archive(const RandomAccessFile& from, std::uint64_t first, std::uint64_t last,
          const std::string& called)
      : file(from), begin(first), end(last), name(called), input(from, first, last) {}

  template <class... What>
  [[noreturn]] void fail(const What&... what) const {
    throw Error(concat(name, ": ", what..., "; get it again"));
  }
  [[nodiscard]] std::string behind() const {
    return last_name.empty() ? std::string() : concat(" after '", shown(last_name), "'");
  }

  /// Two blocks of zeros end an archive; who writes less was stopped.
  void check_end_mark() const {
    std::array<std::byte, kBlock> block{};
    if (end - begin >= kBlock) file.read_at(end - kBlock, block);
    const bool is_mark =
        end - begin >= kBlock &&
        std::all_of(block.begin(), block.end(), [](std::byte b) { return b == std::byte{0}; });
    if (!is_mark) fail("has no end mark", behind(), ", so something may be missing");
  }

  const RandomAccessFile& file;
  const std::uint64_t begin, end;
  const std::string& name;
  ArchiveInput input;
  std::string last_name;
};

TarReader::TarReader(const RandomAccessFile& file, std::uint64_t begin, std::uint64_t end,
                     const std::string& name)
    : archive_(std::make_unique<Archive>(file, begin, end, name)) {
  ::archive* const handle = archive_->input.get();
  ::archive_read_support_format_tar(handle);
  ::archive_read_set_format_option(handle, "tar", "read_concatenated_archives", "1");
  if (archive_->input.open() != ARCHIVE_OK) {
    archive_->fail("is no tar archive, or its beginning is damaged");
  }
}

TarReader::~TarReader() = default;

bool TarReader::next(TarMember& member) {
  const PlainNames plain;
  ::archive* const handle = archive_->input.get();
  for (;;) {
    ::archive_entry* entry = nullptr;
    const int status = ::archive_read_next_header(handle, &entry);
    if (status == ARCHIVE_EOF) {
      archive_->check_end_mark();
      return false;
    }
    const bool is_sound = status == ARCHIVE_OK ||
                          (status == ARCHIVE_WARN && is_of_names(::archive_error_string(handle)));
    if (!is_sound) {
      archive_->fail("damaged", archive_->behind(), " (", archive_->input.problem(), ')');
    }
    if (::archive_entry_filetype(entry) == AE_IFDIR) continue;
    const char* const name = ::archive_entry_pathname(entry);
    member.name = name == nullptr ? "" : name;
    member.kind = kind_of(entry);
    // What was read up to here are headers; the content is what comes next.
    const la_int64_t position = ::archive_filter_bytes(handle, 0);
    const la_int64_t length = ::archive_entry_size(entry);
    const std::uint64_t all = archive_->end - archive_->begin;
    MILLRACE_CHECK(position > 0 && static_cast<std::uint64_t>(position) <= all,
                   "headers end within the file");
    member.length = member.kind == TarMember::file ? static_cast<std::uint64_t>(length) : 0;
    member.offset = archive_->begin + static_cast<std::uint64_t>(position);
    if (length < 0 || member.length > all - static_cast<std::uint64_t>(position)) {
      archive_->fail("ends within '", shown(member.name), "'");
    }
    archive_->last_name = member.name;
    return true;
  }
}

Compression compression_of(const RandomAccessFile& file, const char*& program) {
  std::array<std::byte, 6> start{};
  const auto n = std::min<std::uint64_t>(start.size(), file.size());
  file.read_at(0, std::span(start).first(static_cast<std::size_t>(n)));
  const std::string_view bytes(reinterpret_cast<const char*>(start.data()), start.size());
  if (bytes.starts_with("\x1F\x8B")) return Compression::gzip;
  using namespace std::string_view_literals;
  constexpr std::array<std::pair<std::string_view, const char*>, 7> kOthers = {
      {{"\x28\xB5\x2F\xFD"sv, "zstd -d"},
       {"\xFD\x37zXZ\0"sv, "xz -d"},
       {"BZh"sv, "bzip2 -d"},
       {"\x04\x22\x4D\x18"sv, "lz4 -d"},
       {"LZIP"sv, "lzip -d"},
       {"\x5D\0\0"sv, "xz -d --format=lzma"},
       {"\x1F\x9D"sv, "gzip -d"}}};
  for (const auto& [magic, unpacks] : kOthers) {
    if (bytes.starts_with(magic)) program = unpacks;
  }
  return program == nullptr ? Compression::none : Compression::other;
}

}  // namespace millrace::detail
