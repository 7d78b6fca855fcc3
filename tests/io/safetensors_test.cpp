#include <millrace/io/safetensors.h>

#include "catch.h"
#include "io/scratch.h"

#include <array>
#include <limits>

using namespace millrace;
using namespace millrace::test;

namespace {

// A file with this header and `data` zero bytes after it.
std::string file_with(const std::string& header, std::size_t data) {
  std::string bytes(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(header.size() >> (8 * i));
  return bytes + header + std::string(data, '\0');
}

std::string tensors_error(std::string_view bytes) {
  const Scratch scratch;
  const auto path = scratch.write("w.safetensors", bytes);
  const std::string error = error_of([&] { SafetensorsFile file(path); });
  return error.starts_with(path.string()) ? error.substr(path.string().size()) : error;
}

std::string entry(const char* dtype, const char* shape, const char* offsets) {
  return concat("{\"w\":{\"dtype\":\"", dtype, "\",\"shape\":", shape,
                ",\"data_offsets\":", offsets, "}}");
}

}  // namespace

TEST_CASE("two numbers are written as the reference writer does, up to the order of keys") {
  const Scratch scratch;
  const std::array values = {1.0F, -2.0F};
  const std::array tensors = {NamedTensor{"a", Shape{2}, values}};
  write_safetensors(scratch / "a.safetensors", tensors);
  // safetensors 0.8.0 (Python) writes 72 bytes, those of the example below. Our keys come in
  // another order, which the format leaves open, so the header is compared by length and the data
  // by bytes.
  const std::vector<std::byte> bytes = read_file(scratch / "a.safetensors");
  REQUIRE(bytes.size() == 72);
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  CHECK(text.substr(0, 8) == std::string("\x38\0\0\0\0\0\0\0", 8));
  CHECK(text.substr(64) == std::string("\0\0\x80\x3F\0\0\0\xC0", 8));
  CHECK(text.find("\"dtype\":\"F32\"") != std::string::npos);
}

TEST_CASE("the example of the format is read") {
  const Scratch scratch;
  using namespace std::string_literals;
  const auto path = scratch.write(
      "a",
      "\x38\0\0\0\0\0\0\0{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}  "
      "\0\0\x80\x3F\0\0\0\xC0"s);
  const SafetensorsFile file(path);
  REQUIRE(file.tensors().size() == 1);
  CHECK(file.tensors()[0].name == "a");
  CHECK(file.tensors()[0].shape == Shape{2});
  CHECK(file.metadata().empty());
  std::array<float, 2> values{};
  file.read("a", values);
  CHECK(values == std::array{1.0F, -2.0F});
}

TEST_CASE("tensors and metadata come back as they were written") {
  const Scratch scratch;
  std::vector<float> kernel(2 * 3 * 5);
  for (std::size_t i = 0; i < kernel.size(); ++i) kernel[i] = 0.1F * static_cast<float>(i) - 1.0F;
  const std::array scalar = {std::numeric_limits<float>::denorm_min()};
  const std::array tensors = {NamedTensor{"z.kernel", Shape{2, 3, 5}, kernel},
                              NamedTensor{"a.bias", Shape{0}, {}},
                              NamedTensor{"step", Shape{}, scalar}};
  write_safetensors(scratch / "w", tensors, {{"model", "{\"name\": \"größe\"}"}, {"epoch", "3"}});
  const SafetensorsFile file(scratch / "w");
  CHECK(file.metadata() == Metadata{{"model", "{\"name\": \"größe\"}"}, {"epoch", "3"}});
  CHECK(file.tensors().size() == 3);
  std::vector<float> back(kernel.size());
  file.read("z.kernel", back);
  CHECK(back == kernel);
  CHECK(file.find("z.kernel")->shape == Shape{2, 3, 5});
  CHECK(file.find("step")->shape == Shape{});
  file.read("a.bias", {});
  std::array<float, 1> one{};
  file.read("step", one);
  CHECK(one == scalar);
  CHECK(file.find("none") == nullptr);
}

TEST_CASE("half, bfloat16 and double tensors are read as float") {
  const Scratch scratch;
  using namespace std::string_literals;
  // 1.5 and -2 in binary16, bfloat16 and binary64.
  const std::string header = R"({"b":{"dtype":"BF16","shape":[2],"data_offsets":[4,8]},)"
                             R"("d":{"dtype":"F64","shape":[2],"data_offsets":[8,24]},)"
                             R"("h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}})";
  const auto path =
      scratch.write("w", file_with(header, 0) + "\x00\x3E\x00\xC0"s + "\xC0\x3F\x00\xC0"s +
                             "\0\0\0\0\0\0\xF8\x3F\0\0\0\0\0\0\0\xC0"s);
  const SafetensorsFile file(path);
  for (const char* name : {"h", "b", "d"}) {
    std::array<float, 2> values{};
    file.read(name, values);
    CHECK(values == std::array{1.5F, -2.0F});
  }
}

TEST_CASE("a tensor that does not fit what is wanted is an error that names it") {
  const Scratch scratch;
  const auto path = scratch.write("w", file_with(entry("I64", "[2]", "[0,16]"), 16));
  const SafetensorsFile file(path);
  std::array<float, 2> two{};
  std::array<float, 3> three{};
  CHECK_THROWS_WITH(file.read("v", two), path.string() + ": tensor 'v': not in the file");
  CHECK_THROWS_WITH(file.read("w", three),
                    path.string() + ": tensor 'w': has shape 2 where 3 elements are expected");
  CHECK_THROWS_WITH(file.read("w", two), path.string() +
                                             ": tensor 'w': has type I64; F32, F16, BF16 "
                                             "and F64 are read as weights");
}

TEST_CASE("a header that lies is an error") {
  CHECK(tensors_error("") == ": too short for a safetensors file");
  CHECK(tensors_error(std::string(8, '\xFF')).starts_with(": its header claims "));
  CHECK(tensors_error(std::string("\x40\0\0\0\0\0\0\0{}", 10)) ==
        ": it ends early, within its header of 64 bytes; get it again");
  CHECK(tensors_error(std::string("\x40\0\0\0\0\0\0\0[]", 10)) ==
        ": its header claims 64 bytes; not a safetensors file, or damaged");
  CHECK(tensors_error(file_with("[]", 0)) ==
        ": its header is not a JSON object; not a safetensors file");
  CHECK(tensors_error(file_with("{\"a\":", 0)) == ": its header is not valid JSON; damaged");
  CHECK(tensors_error(file_with("{}", 4)) == ": has 14 bytes where its header describes 10");
  CHECK(tensors_error(file_with("{}", 0)).empty());
  CHECK(tensors_error(file_with(R"({"__metadata__":{"a":1}})", 0)) ==
        ": its metadata 'a' are not text");
}

TEST_CASE("every size and offset of a tensor is checked") {
  const auto error = [](const char* dtype, const char* shape, const char* offsets) {
    return tensors_error(file_with(entry(dtype, shape, offsets), 8));
  };
  CHECK(error("F32", "[2]", "[0,8]").empty());
  CHECK(error("F4", "[16]", "[0,8]").empty());
  CHECK(error("F32", "[2]", "[0,9]") ==
        ": tensor 'w': its numbers end beyond the file, which was cut or is damaged; get it again");
  CHECK(error("F32", "[2]", "[8,0]") == ": tensor 'w': its data_offsets are no beginning and end");
  CHECK(error("F32", "[2]", "[0,18446744073709551615]") ==
        ": tensor 'w': its numbers end beyond the file, which was cut or is damaged; get it again");
  CHECK(error("F32", "[3]", "[0,8]") == ": tensor 'w': shape 3 of F32 does not take 8 bytes");
  CHECK(error("F32", "[1]", "[4,8]") ==
        ": tensor 'w': its data do not begin where the ones before end");
  CHECK(error("F32", "[1]", "[0,4]").find(" bytes where its header describes ") !=
        std::string::npos);
  CHECK(error("F32", "[-2]", "[0,8]") == ": tensor 'w': a size or offset is not a whole number");
  CHECK(error("F32", "[2.0]", "[0,8]") == ": tensor 'w': a size or offset is not a whole number");
  CHECK(error("F32", "[4611686018427387904,4,0]", "[0,0]") == ": tensor 'w': its shape overflows");
  CHECK(error("F32", "[4294967296,4294967296]", "[0,8]") == ": tensor 'w': its shape overflows");
  CHECK(error("Q8", "[2]", "[0,8]") == ": tensor 'w': unknown dtype 'Q8'");
  CHECK(error("F32", "[1,1,1,1,1,1,2]", "[0,8]") ==
        ": tensor 'w': 7 dimensions; at most 6 are read");
  CHECK(error("F4", "[3]", "[0,1]") == ": tensor 'w': shape 3 of F4 does not take 1 bytes");
  CHECK(error("F32", "7", "[0,8]") == ": tensor 'w': expected dtype, shape and data_offsets");
}

TEST_CASE("a tensor named twice and tensors that overlap are errors") {
  const std::string one = R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  CHECK(tensors_error(file_with("{" + one + "," + one + "}", 4)) ==
        ": tensor 'a': appears twice in the header");
  for (const char* twice :
       {R"("__metadata__":{"x":"1","y":"2","x":"3"})", R"("x":1,"y":{},"x":2)"}) {
    CHECK(tensors_error(file_with(concat('{', one, ',', twice, '}'), 4)) ==
          ": tensor 'x': appears twice in the header");
  }
  CHECK(tensors_error(file_with(R"({"":1,"":2})", 0)) ==
        ": tensor '': appears twice in the header");
  const std::string two = R"("b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]})";
  CHECK(tensors_error(file_with("{" + one + "," + two + "}", 6)) ==
        ": tensor 'b': its data do not begin where the ones before end");
}

TEST_CASE("what cannot be written is refused and leaves no file") {
  const Scratch scratch;
  const std::array value = {1.0F};
  const std::array twice = {NamedTensor{"a", Shape{1}, value}, NamedTensor{"a", Shape{1}, value}};
  CHECK_THROWS_WITH(write_safetensors(scratch / "w", twice), "two tensors are named 'a'");
  const std::array bad = {NamedTensor{"\xFF", Shape{1}, value}};
  CHECK_THROWS_WITH(write_safetensors(scratch / "w", bad),
                    "the name of a tensor or its metadata are not UTF-8");
  const std::array reserved = {NamedTensor{"__metadata__", Shape{1}, value}};
  CHECK_THROWS_AS(write_safetensors(scratch / "w", reserved), UsageError);
  CHECK(std::filesystem::is_empty(scratch.path()));
}
