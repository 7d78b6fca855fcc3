#pragma once
// Shards to try the program with: bars in noise, one class for each position of the bar.

#include <millrace/core/random.h>

#include <archive.h>
#include <archive_entry.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

inline void add_member(archive* tar, const std::string& name, std::string_view content) {
  archive_entry* const entry = archive_entry_new();
  archive_entry_set_pathname(entry, name.c_str());
  archive_entry_set_size(entry, static_cast<la_int64_t>(content.size()));
  archive_entry_set_filetype(entry, AE_IFREG);
  archive_entry_set_perm(entry, 0644);
  archive_write_header(tar, entry);
  archive_write_data(tar, content.data(), content.size());
  archive_entry_free(entry);
}

/// drawn-0.tar, ... of 200 images each.
inline std::vector<std::string> draw_shards(int count) {
  std::vector<std::string> shards;
  for (int s = 0; s < count; ++s) {
    shards.push_back("drawn-" + std::to_string(s) + ".tar");
    archive* const tar = archive_write_new();
    archive_write_set_format_ustar(tar);
    archive_write_open_filename(tar, shards.back().c_str());
    for (int i = 0; i < 200; ++i) {
      millrace::Random random(static_cast<std::uint64_t>(s), 0, static_cast<std::uint64_t>(i),
                              millrace::Purpose::synthetic);
      const auto label = static_cast<int>(random.below(10));
      std::string image = "P5 28 28 255\n";
      for (int k = 0; k < 28 * 28; ++k) {
        const bool is_bar = k / 28 / 2 == label + 2;
        image += static_cast<char>((is_bar ? 60 : 0) + static_cast<int>(random.below(120)));
      }
      add_member(tar, std::to_string(i) + ".pgm", image);
      add_member(tar, std::to_string(i) + ".cls", std::to_string(label));
    }
    archive_write_free(tar);
  }
  return shards;
}
