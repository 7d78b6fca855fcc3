#include <millrace/io/checkpoint.h>
#include <millrace/io/safetensors.h>

#include "catch.h"
#include "io/scratch.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>

using namespace millrace;
using namespace millrace::test;

namespace {

Checkpoint small() {
  Checkpoint state;
  state.set("step", std::uint64_t{1200});
  state.set("model", "{\"name\": \"größe\"}");
  state.arrays["parameters"] = {1.0F, -2.0F, 0.5F};
  state.arrays["masks"] = {};
  return state;
}

// What is said about the file, without its path; empty if it is read.
std::string reading_error(const std::filesystem::path& path) {
  const std::string error = error_of([&] { (void)read_checkpoint(path); });
  if (error.empty()) return {};
  CHECK(error.starts_with(path.string() + ": "));
  return error.substr(std::min(error.size(), path.string().size() + 2));
}

// Changes one bit of a file where it lies.
void flip(std::fstream& file, std::size_t bit) {
  const auto at = static_cast<std::streamoff>(bit / 8);
  const int byte = file.seekg(at).get();
  file.seekp(at).put(static_cast<char>(byte ^ (1 << (bit % 8)))).flush();
}

}  // namespace

TEST_CASE("a checkpoint comes back as it was written") {
  const Scratch scratch;
  Checkpoint state = small();
  std::vector<float>& large = state.arrays["first_moment"];
  for (int i = 0; i < 700'001; ++i) large.push_back(0.1F * static_cast<float>(i));  // three pieces
  large[3] = std::numeric_limits<float>::quiet_NaN();
  write_checkpoint(scratch / "a.ckpt", state);
  const Checkpoint back = read_checkpoint(scratch / "a.ckpt");
  CHECK(back.values == state.values);
  CHECK(back.source == (scratch / "a.ckpt").string());
  REQUIRE(back.arrays.size() == 3);
  CHECK(back.arrays.at("parameters") == state.arrays.at("parameters"));
  CHECK(back.arrays.at("masks").empty());
  const std::vector<float>& again = back.arrays.at("first_moment");
  REQUIRE(again.size() == large.size());
  CHECK(std::memcmp(again.data(), large.data(), large.size() * sizeof(float)) == 0);
}

TEST_CASE("a checkpoint of nothing is a checkpoint") {
  const Scratch scratch;
  write_checkpoint(scratch / "a", {});
  const Checkpoint back = read_checkpoint(scratch / "a");
  CHECK(back.values.empty());
  CHECK(back.arrays.empty());
}

TEST_CASE("values come back with their type, doubles to the bit") {
  const Scratch scratch;
  Checkpoint state;
  const std::array doubles = {0.1,
                              -0.0,
                              1.0 / 3.0,
                              std::numeric_limits<double>::denorm_min(),
                              std::numeric_limits<double>::max(),
                              -std::numeric_limits<double>::infinity()};
  for (std::size_t i = 0; i < doubles.size(); ++i) state.set(concat("d", i), doubles[i]);
  state.set("nan", std::numeric_limits<double>::quiet_NaN());
  state.set("most", std::numeric_limits<std::uint64_t>::max());
  state.set("least", std::numeric_limits<std::int64_t>::min());
  state.set("epoch", std::uint32_t{7});
  state.set("yes", true);
  state.set("no", false);
  state.set("text", "two\nlines");
  write_checkpoint(scratch / "a", state);
  const Checkpoint back = read_checkpoint(scratch / "a");
  for (std::size_t i = 0; i < doubles.size(); ++i) {
    CHECK(std::bit_cast<std::uint64_t>(back.get<double>(concat("d", i))) ==
          std::bit_cast<std::uint64_t>(doubles[i]));
  }
  CHECK(std::isnan(back.get<double>("nan")));
  CHECK(back.get<std::uint64_t>("most") == std::numeric_limits<std::uint64_t>::max());
  CHECK(back.get<std::int64_t>("least") == std::numeric_limits<std::int64_t>::min());
  CHECK(back.get<std::uint32_t>("epoch") == 7);
  CHECK(back.get<bool>("yes"));
  CHECK_FALSE(back.get<bool>("no"));
  CHECK(back.get<std::string>("text") == "two\nlines");
}

TEST_CASE("what a checkpoint does not hold is an error with file and name") {
  const Scratch scratch;
  const std::string path = (scratch / "a").string();
  write_checkpoint(path, small());
  const Checkpoint state = read_checkpoint(path);
  CHECK_THROWS_WITH(state.get<double>("loss"), path + ": has no value 'loss'");
  CHECK_THROWS_WITH(state.get<bool>("step"),
                    path + ": 'step' is '1200', which is no value of its type");
  CHECK_THROWS_WITH(state.get<std::uint8_t>("step"),
                    path + ": 'step' is '1200', which is no value of its type");
  CHECK_THROWS_WITH(state.array("gradients", 3), path + ": has no array 'gradients'");
  CHECK_THROWS_WITH(state.array("parameters", 4),
                    path +
                        ": array 'parameters' has 3 elements where 4 are expected; it is of "
                        "another model");
  CHECK(state.array("parameters", 3)[1] == -2.0F);
}

TEST_CASE("a checkpoint is a safetensors file") {
  const Scratch scratch;
  write_checkpoint(scratch / "a", small());
  const SafetensorsFile file(scratch / "a");
  CHECK(file.metadata().at("step") == "1200");
  std::array<float, 3> values{};
  file.read("parameters", values);
  CHECK(values == std::array{1.0F, -2.0F, 0.5F});
}

TEST_CASE("every bit of a checkpoint counts") {
  const Scratch scratch;
  const auto path = scratch / "a";
  Checkpoint state;
  state.set("step", 7);
  state.arrays["w"] = {1.0F, -2.0F};
  write_checkpoint(path, state);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  std::size_t by_checksum = 0;
  for (std::size_t bit = 0; bit < 8 * std::filesystem::file_size(path); ++bit) {
    INFO("bit " << bit);
    flip(file, bit);
    const std::string error = reading_error(path);
    CHECK_FALSE(error.empty());
    if (error == "damaged: its checksum is not that of its bytes") ++by_checksum;
    flip(file, bit);
  }
  CHECK(reading_error(path).empty());
  CHECK(by_checksum > 8 * 12);  // all bits behind the header, and those that leave it readable
}

TEST_CASE("a checkpoint cut at any byte is an error, and so is one that goes on") {
  const Scratch scratch;
  const auto path = scratch / "a";
  write_checkpoint(path, small());
  const std::uintmax_t whole = std::filesystem::file_size(path);
  std::filesystem::resize_file(path, whole + 1);
  CHECK_FALSE(reading_error(path).empty());
  for (std::uintmax_t length = whole; length > 0; --length) {
    INFO("length " << length - 1);
    std::filesystem::resize_file(path, length - 1);
    CHECK_FALSE(reading_error(path).empty());
  }
}

TEST_CASE("a file of another kind is not taken for a checkpoint") {
  const Scratch scratch;
  const std::array one = {1.0F};
  const std::array tensors = {NamedTensor{"w", Shape{1}, one}};
  write_safetensors(scratch / "w", tensors);
  CHECK_THROWS_WITH(read_checkpoint(scratch / "w"),
                    (scratch / "w").string() + ": is not a checkpoint, or damaged");
  CHECK_THROWS_AS(read_checkpoint(scratch / "none"), Error);
}

TEST_CASE("a header that claims more than the file holds costs no memory") {
  const Scratch scratch;
  const std::string header =
      R"({"a":{"dtype":"F32","shape":[250000000000],"data_offsets":[0,1000000000000]},)"
      R"("checksum":{"dtype":"U32","shape":[1],"data_offsets":[1000000000000,1000000000004]}})";
  const std::uint64_t length = header.size();
  std::string bytes(reinterpret_cast<const char*>(&length), sizeof(length));
  const auto path = scratch.write("a", bytes + header + "12345678");
  CHECK_THROWS_WITH(read_checkpoint(path), path.string() +
                                               ": tensor 'a': its numbers end beyond the file, "
                                               "which was cut or is damaged; get it again");
}

TEST_CASE("names that a checkpoint cannot hold are refused and leave no file") {
  const Scratch scratch;
  const auto error = [&](const Checkpoint& state) {
    return error_of([&] { write_checkpoint(scratch / "a", state); });
  };
  CHECK(error({{{"format", "x"}}, {}}) == "no value of a checkpoint can be named 'format'");
  CHECK(error({{}, {{"checksum", {}}}}) == "no array of a checkpoint can be named 'checksum'");
  CHECK(error({{{"a", "\xFF"}}, {}}) == "a name or value of a checkpoint is not UTF-8");
  CHECK(std::filesystem::is_empty(scratch.path()));
}

TEST_CASE("values of a checkpoint are read without its arrays, and checked like all of it") {
  const Scratch scratch;
  Checkpoint state;
  state.set("step", 7);
  state.arrays["weights"] = std::vector<float>(600'000, 0.5F);  // more than one piece
  write_checkpoint(scratch / "state.ckpt", state);
  const Checkpoint values = read_checkpoint_values(scratch / "state.ckpt");
  CHECK(values.values == state.values);
  REQUIRE(values.arrays.size() == 1);
  CHECK(values.arrays.at("weights").empty());
  std::vector<std::byte> bytes = read_file(scratch / "state.ckpt");
  bytes[bytes.size() / 2] ^= std::byte{1};
  write_file(scratch / "damaged.ckpt", bytes);
  CHECK_THROWS_WITH(read_checkpoint_values(scratch / "damaged.ckpt"), Catch::Contains("checksum"));
}
