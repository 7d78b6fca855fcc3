// Event files as the real TensorBoard reads them.

#include <millrace/io/events.h>
#include <millrace/io/png.h>

#include "catch.h"
#include "io/scratch.h"
#include "peers.h"

#include <nlohmann/json.hpp>

using namespace millrace;
using namespace millrace::test;
using nlohmann::json;

namespace {

std::string hex(std::span<const std::byte> bytes) {
  std::string result;
  for (const std::byte byte : bytes) {
    for (const int digit : {std::to_integer<int>(byte) >> 4, std::to_integer<int>(byte) & 15}) {
      result += "0123456789abcdef"[digit];
    }
  }
  return result;
}

}  // namespace

TEST_CASE("TensorBoard reads the scalars, images and histograms that were written") {
  const auto python = peers_python();
  if (!python) return;
  const Scratch scratch;
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < 5 * 4 * 3; ++i) pixels.push_back(static_cast<std::uint8_t>(4 * i));
  const ConstImageView image(pixels.data(), 5, 4, 3);
  json losses;
  {
    EventWriter events(scratch / "train");
    for (int step = 0; step < 300; ++step) {
      const float loss = 2.5F / static_cast<float>(step + 1);
      events.scalar("epoch_loss", step, loss);
      losses.push_back({step, loss});
    }
    events.image("augmented", 0, image);
    events.histogram("w/histogram", 2, std::array{0.0F, 1.0F, 1.5F, 2.0F, 5.0F, 10.0F}, 5);
  }
  EventWriter(scratch / "train").scalar("epoch_loss", 300, 0.25);  // the run is resumed
  losses.push_back({300, 0.25});

  const std::string output = ask_peer(*python, "read_events.py", {(scratch / "train").string()});
  const json read = json::parse(output);
  CHECK(read["events"].size() == 303);
  CHECK(read["scalars"] == json{{"epoch_loss", losses}});
  CHECK(read["images"]["augmented"] == json::array({json{0, 4, 5, hex(encode_png(image))}}));
  const json rows = {{0, 2, 3}, {2, 4, 1}, {4, 6, 1}, {6, 8, 0}, {8, 10, 1}};
  CHECK(read["histograms"]["w/histogram"] == json::array({json{2, rows}}));
}
