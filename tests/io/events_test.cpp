#include <millrace/io/detail/crc32c.h>
#include <millrace/io/events.h>
#include <millrace/io/png.h>

#include "catch.h"
#include "io/event_file.h"
#include "io/scratch.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <algorithm>
#include <array>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;

namespace {

std::string hex(const std::string& bytes) {
  std::string result;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    for (const int digit : {byte >> 4, byte & 15}) result += "0123456789abcdef"[digit];
  }
  return result;
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// 1.5, 2.5, ...
EventWriter::Clock counting_clock() {
  return [now = 0.5]() mutable { return now += 1; };
}

}  // namespace

TEST_CASE("CRC-32C and its masked form are those of the published examples") {
  using namespace std::string_literals;
  CHECK(detail::crc32c(bytes_of("123456789")) == 0xe3069283);
  CHECK(detail::masked_crc32c(bytes_of("123456789")) == 0xc78ab0e5);
  const std::string zeros(32, '\0');
  CHECK(detail::crc32c(bytes_of(zeros)) == 0x8a9136aa);
  CHECK(detail::masked_crc32c(bytes_of(zeros)) == 0x0fd7fffa);
  CHECK(detail::crc32c({}) == 0);
  CHECK(detail::masked_crc32c({}) == 0xa282ead8);
  CHECK(detail::masked_crc32c(bytes_of("\x1a\x11"
                                       "CRC test, one two")) == 0x5794d08a);
}

TEST_CASE("an event file begins with its version, and a scalar is a tensor of the scalars plugin") {
  const Scratch scratch;
  EventWriter events(scratch / "run/train", counting_clock());
  events.scalar("epoch_loss", 3, 0.5);
  CHECK(hex(text_of(events.path())) ==
        "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c"
        "3200000000000000241956ec09000000000000044010032a250a230a0a65706f63685f6c6f737342"
        "0808012a040000003f4a0b0a090a077363616c6172738878ba42");
}

TEST_CASE("event files are named so that TensorBoard reads them in the order of time") {
  const Scratch scratch;
  const EventWriter first(scratch.path(), [] { return 1700000000.7; });
  const EventWriter second(scratch.path(), [] { return 1700000000.9; });
  const EventWriter later(scratch.path(), [] { return 1700000001.0; });
  const std::string name = first.path().filename().string();
  CHECK(name.starts_with("events.out.tfevents.1700000000."));
  CHECK(name.ends_with(concat(".", ::getpid(), ".0.v2")));
  CHECK(second.path().filename().string().ends_with(".1.v2"));
  CHECK(first.path().filename() < second.path().filename());
  CHECK(second.path().filename() < later.path().filename());
}

TEST_CASE("an image is a PNG with its width and height before it") {
  const Scratch scratch;
  const std::vector<std::uint8_t> pixels(2 * 3 * 3, 200);
  const ConstImageView image(pixels.data(), 2, 3, 3);
  EventWriter events(scratch.path());
  events.image("augmented", 0, image);
  const auto read = read_events(events.path());
  REQUIRE(read.size() == 1);
  const event::Summary::Value& value = read[0].summary().value(0);
  CHECK(value.tag() == "augmented");
  CHECK(value.metadata().plugin().name() == "images");
  CHECK(value.tensor().dtype() == 7);
  REQUIRE(value.tensor().string_val_size() == 3);
  CHECK(value.tensor().string_val(0) == "3");
  CHECK(value.tensor().string_val(1) == "2");
  const std::vector<std::byte> png = encode_png(image);
  CHECK(std::ranges::equal(bytes_of(value.tensor().string_val(2)), png));
}

TEST_CASE("histograms have the buckets of TensorBoard's own") {
  std::ifstream file(MILLRACE_TEST_DATA "/io/histograms.json");
  const nlohmann::json recorded = nlohmann::json::parse(file);
  REQUIRE(recorded["cases"].size() == 7);
  for (const auto& one : recorded["cases"]) {
    INFO(one["name"]);
    const Scratch scratch;
    EventWriter events(scratch.path());
    events.histogram("w/histogram", 1, one["values"].get<std::vector<float>>(), one["buckets"]);
    const auto read = read_events(events.path());
    const event::Tensor& tensor = read.at(0).summary().value(0).tensor();
    CHECK(read[0].summary().value(0).metadata().plugin().name() == "histograms");
    CHECK(tensor.shape().dim(0).size() == one["buckets"]);
    CHECK(tensor.shape().dim(1).size() == 3);
    REQUIRE(tensor.double_val_size() == 3 * one["buckets"].get<int>());
    for (std::size_t i = 0; i < 3 * one["rows"].size(); ++i) {
      const double expected = one["rows"][i / 3][i % 3];
      CHECK(tensor.double_val(static_cast<int>(i)) ==
            Approx(expected).epsilon(1e-12).margin(1e-15));
    }
  }
}

TEST_CASE("a histogram leaves out what is not finite") {
  const Scratch scratch;
  EventWriter events(scratch.path());
  const float infinity = std::numeric_limits<float>::infinity();
  events.histogram("w", 0, std::array{1.0F, infinity, 2.0F, -infinity, infinity - infinity}, 2);
  const auto read = read_events(events.path());
  const event::Tensor& tensor = read.at(0).summary().value(0).tensor();
  const std::vector<double> rows(tensor.double_val().begin(), tensor.double_val().end());
  CHECK(rows == std::vector<double>{1, 1.5, 1, 1.5, 2, 1});
}

TEST_CASE("a file that cannot grow keeps its whole events and nothing more") {
  const Scratch scratch;
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{100, 100};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    EventWriter events(scratch.path(), counting_clock());
    const std::string error = error_of([&] {
      for (int step = 0; step < 3; ++step) events.scalar("a tag of some length", step, 1);
    });
    ::_exit(error == events.path().string() + ": cannot be written: File too large" ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(status == 0);
  const fs::path file = fs::directory_iterator(scratch.path())->path();
  CHECK(fs::file_size(file) < 100);
  CHECK(read_events(file).empty());
}

TEST_CASE("a folder for events that cannot be made is named") {
  const Scratch scratch;
  const fs::path file = scratch.write("file", "");
  CHECK_THROWS_WITH(EventWriter(file / "train"),
                    (file / "train").string() + ": the directory cannot be made: Not a directory");
}
