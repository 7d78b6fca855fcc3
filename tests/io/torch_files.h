#pragma once
// Files of torch.save, written byte by byte: good ones, and what nobody's torch.save would write.

#include "io/scratch.h"

#include <millrace/core/error.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::test {

inline std::string little(std::uint64_t value, std::size_t bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes; ++i) text += static_cast<char>((value >> (8 * i)) & 0xFF);
  return text;
}

/// Pieces of pickles.
namespace pickled {

inline std::string text(std::string_view value) {
  return "X" + little(value.size(), 4) + std::string(value);
}
inline std::string integer(std::int64_t value) {
  return "\x8a\x08" + little(static_cast<std::uint64_t>(value), 8);
}
inline std::string tuple(const std::vector<std::int64_t>& values) {
  std::string bytes = "(";
  for (const std::int64_t value : values) bytes += integer(value);
  return bytes + "t";
}
inline std::string global(std::string_view module, std::string_view name) {
  return concat('c', module, '\n', name, '\n');
}
inline std::string storage(std::string_view key, std::int64_t elements,
                           std::string_view type = "FloatStorage") {
  return "(" + text("storage") + global("torch", type) + text(key) + text("cpu") +
         integer(elements) + "tQ";
}
inline std::string tensor(const std::string& storage, std::int64_t offset,
                          const std::vector<std::int64_t>& sizes,
                          const std::vector<std::int64_t>& strides) {
  return global("torch._utils", "_rebuild_tensor_v2") + "(" + storage + integer(offset) +
         tuple(sizes) + tuple(strides) + "\x89" + global("collections", "OrderedDict") + ")RtR";
}
/// {NAME: VALUE}, of pieces.
inline std::string dict(std::string_view name, const std::string& value) {
  return "}(" + text(name) + value + "u";
}
inline std::string whole(const std::string& object) {
  return "\x80\x02" + object + ".";
}

}  // namespace pickled

/// A file of the form before PyTorch 1.6: an object's pickle, and one storage "0" of floats.
inline std::string legacy_file(const std::string& object, std::uint64_t elements = 4,
                               std::size_t written = 4) {
  using namespace pickled;
  const std::string magic = "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
  const std::string system = "}(" + text("little_endian") + "\x88u";
  return whole(magic) + whole(integer(1001)) + whole(system) + object +
         whole("](" + text("0") + "e") + little(elements, 8) + std::string(4 * written, '\x40');
}

struct ZippedFile {
  std::string name, content;
  std::uint16_t method = 0, flags = 0;
  std::optional<std::uint32_t> crc = {};  ///< another than that of the content
};

/// A zip archive whose members are stored as they are, whatever their headers say.
inline std::string zip_file(const std::vector<ZippedFile>& members) {
  std::string bytes, directory;
  for (const ZippedFile& member : members) {
    const auto* const data = reinterpret_cast<const std::uint8_t*>(member.content.data());
    const std::uint32_t crc = member.crc.value_or(crc_of({data, member.content.size()}));
    const std::string common = little(20, 2) + little(member.flags, 2) + little(member.method, 2) +
                               little(0, 4) + little(crc, 4) + little(member.content.size(), 4) +
                               little(member.content.size(), 4) + little(member.name.size(), 2) +
                               little(0, 2);
    directory += "PK\x01\x02" + little(20, 2) + common + little(0, 2) + little(0, 2) +
                 little(0, 2) + little(0, 4) + little(bytes.size(), 4) + member.name;
    bytes += "PK\x03\x04" + common + member.name + member.content;
  }
  return bytes + directory + "PK\x05\x06" + little(0, 4) + little(members.size(), 2) +
         little(members.size(), 2) + little(directory.size(), 4) + little(bytes.size(), 4) +
         little(0, 2);
}

/// As torch.save writes: a pickle and one storage "0".
inline std::vector<ZippedFile> torch_members(const std::string& pickle, std::size_t elements = 4) {
  return {{"archive/data.pkl", pickle},
          {"archive/byteorder", "little"},
          {"archive/data/0", std::string(4 * elements, '\x40')},
          {"archive/version", "3\n"}};
}

}  // namespace millrace::test
