// What files of torch.save may ask for: bounds of memory, marks of tensors, checksums of small
// members, and reads that fail.

#include <millrace/io/torch_file.h>

#include "catch.h"
#include "io/torch_files.h"

#include <filesystem>
#include <fstream>

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;

namespace {

using namespace pickled;

/// What is said of a file or of its first tensor; empty if it is read.
std::string error_of_path(const std::filesystem::path& path) {
  const std::string error = error_of([&] {
    const TorchFile file(path);
    std::vector<float> values(static_cast<std::size_t>(file.tensors()[0].shape.elements()));
    file.read(0, 0, values);
  });
  return error.starts_with(path.string()) ? error.substr(path.string().size()) : error;
}

std::string error_of_torch(const std::string& bytes) {
  const Scratch scratch;
  return error_of_path(scratch.write("w.pth", bytes));
}

/// A tensor of four numbers whose call has a seventh argument.
std::string marked(const std::string& marks) {
  const std::string call = tensor(storage("0", 4), 0, {2, 2}, {2, 1});
  return dict("w", call.substr(0, call.size() - 2) + marks + "tR");
}

std::string marks_error(const std::string& marks) {
  return error_of_torch(legacy_file(whole(marked(marks))));
}

const std::string kGood = whole(dict("w", tensor(storage("0", 4), 0, {4}, {1})));

}  // namespace

TEST_CASE("a tensor whose numbers are stored negated or conjugated is refused by the bit's name") {
  CHECK(marks_error("N").empty());
  CHECK(marks_error("}").empty());
  CHECK(marks_error(dict("neg", "\x89")).empty());
  CHECK(marks_error(dict("neg", "\x88")) ==
        ": tensor 'w': its neg bit is set; save it with .resolve_neg()");
  CHECK(marks_error(dict("conj", "\x88")) ==
        ": tensor 'w': its conj bit is set; save it with .resolve_conj()");
  CHECK(marks_error(dict("neg", "K\x01")) ==
        ": tensor 'w': its neg bit is set; save it with .resolve_neg()");
  CHECK(marks_error(dict("new", "\x88")) == ": tensor 'w': has the mark new, which is not known");
  CHECK(marks_error("K\x01") == ": tensor 'w': is described in no known way; damaged");
}

TEST_CASE("a tensor with strides whose read failed fails again and gives no numbers") {
  const Scratch scratch;
  const std::string bytes =
      legacy_file(whole(dict("w", tensor(storage("0", 4), 0, {2, 2}, {1, 2}))));
  const auto path = scratch.write("w.pth", bytes);
  const TorchFile file(path);
  std::filesystem::resize_file(path, bytes.size() - 8);
  std::vector<float> values(4);
  CHECK_THROWS_AS(file.read(0, 0, values), Error);
  CHECK_THROWS_AS(file.read(0, 0, values), Error);
  scratch.write("w.pth", bytes);
  file.read(0, 0, values);
  CHECK(values == std::vector<float>(4, 3.0039215F));  // 0x40404040
}

TEST_CASE("a view that is spread over much more than its elements takes no memory") {
  constexpr std::int64_t kStorage = 3'000'000;
  const auto error_of_stride = [&](std::int64_t stride) {
    const std::string object = dict("w", tensor(storage("0", kStorage), 0, {3}, {stride}));
    return error_of_torch(legacy_file(whole(object), kStorage, kStorage));
  };
  CHECK(error_of_stride(500'000).empty());
  CHECK(error_of_stride(1'400'000) ==
        ": tensor 'w': its 3 elements are spread over 2800001; save it with .contiguous()");
}

TEST_CASE("a directory or a text of more than 64 MiB is damage and takes no memory") {
  const Scratch scratch;
  constexpr std::uint64_t kTooMuch = (64 << 20) + 1;
  const auto archive = scratch.write("directory.pth", "PK\x03\x04");
  std::filesystem::resize_file(archive, 4 + kTooMuch);  // sparse
  std::ofstream(archive, std::ios::app | std::ios::binary)
      << "PK\x05\x06" << little(0, 4) << little(1, 2) << little(1, 2) << little(kTooMuch, 4)
      << little(4, 4) << little(0, 2);
  CHECK(error_of_path(archive) ==
        ": it is damaged (its directory has more than 64 MiB); get it again");

  const std::string start = legacy_file("\x80\x02X" + little(kTooMuch, 4));
  const auto pickle = scratch.write("text.pth", start);
  std::filesystem::resize_file(pickle, start.size() + kTooMuch);
  CHECK(error_of_path(pickle) ==
        ": it is damaged (the texts of its pickle take over 64 MiB); get it again");
}

TEST_CASE("all members of an archive that are read are compared with their checksums, but for 0") {
  // As torch.serialization.set_crc32_options(False) has them written.
  const auto with_checksum = [](std::size_t member, std::uint32_t other) {
    std::vector<ZippedFile> members = torch_members(kGood);
    members[member].crc = other;
    return error_of_torch(zip_file(members));
  };
  for (const std::size_t member : {0, 1, 2, 3}) CHECK(with_checksum(member, 0).empty());
  CHECK(with_checksum(0, 5) ==
        ": it is damaged (the checksum of its member archive/data.pkl is another); get it again");
  CHECK(with_checksum(1, 5) ==
        ": it is damaged (the checksum of its member archive/byteorder is another); get it again");
  CHECK_THAT(with_checksum(2, 5), Contains("tensor 'w': its numbers are damaged"));
  CHECK(with_checksum(3, 5).empty());  // the version, which is not read
}

TEST_CASE("what is wrong with the first pickle of a file is told") {
  CHECK(error_of_torch("\x80") == ": it ends early; get it again");
  CHECK(error_of_torch("\x80\x04 a pickle") ==
        ": it is damaged (its pickle has the byte 0x20, which is no opcode); get it again");
  CHECK_THAT(error_of_torch(whole(text("no torch"))), Contains("that torch.save did not write"));
  CHECK_THAT(
      error_of_torch(whole(global("numpy", "ndarray"))),
      Contains("its pickle asks for numpy.ndarray, which weights do not need; it is not run"));
}
