#include <millrace/io/detail/tar_unpack.h>

#include <millrace/io/detail/archive_input.h>

#include <algorithm>
#include <span>

namespace millrace::detail {

void unpack_gzip(const RandomAccessFile& file, TemporaryFile& into, const Watch& watch) {
  ArchiveInput input(file, 0, file.size());
  const auto check = [&](bool is_fine) {
    if (is_fine) return;
    throw Error(
        concat(file.path().string(), ": cannot be unpacked (", input.problem(), "); get it again"));
  };
  ::archive_read_support_filter_gzip(input.get());
  ::archive_read_support_format_raw(input.get());
  check(input.open() == ARCHIVE_OK);
  ::archive_entry* entry = nullptr;
  const int status = ::archive_read_next_header(input.get(), &entry);
  if (status == ARCHIVE_EOF) return;  // nothing, compressed
  check(status == ARCHIVE_OK);
  for (;;) {
    const void* block = nullptr;
    std::size_t bytes = 0;
    la_int64_t offset = 0;  // blocks follow each other
    const int read = ::archive_read_data_block(input.get(), &block, &bytes, &offset);
    if (read == ARCHIVE_EOF) return;
    check(read == ARCHIVE_OK);
    watch.at(0);
    try {
      into.append({static_cast<const std::byte*>(block), bytes});
    } catch (const Error& error) {
      throw Error(concat(
          file.path().string(), ": no room for what it holds, beyond ", Bytes{into.size()}, ": ",
          error.what(), "; name another folder in TMPDIR, or unpack it there where there is room"));
    }
  }
}

}  // namespace millrace::detail
