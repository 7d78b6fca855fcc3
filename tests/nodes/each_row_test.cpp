// Streams in a pipeline: samples into rows, holes, memory, threads.

#include "catch.h"
#include "nodes/streams.h"

#include <millrace/image/image.h>
#include <millrace/io/decode.h>
#include <millrace/io/files.h>
#include <millrace/nodes/batcher.h>
#include <millrace/nodes/each_row.h>

#include <algorithm>
#include <map>
#include <string>

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;

namespace {

struct Text {
  std::string name;
  std::vector<std::uint8_t> bytes;
};

/// "0", "1", ... of so many bytes.
Generator<Text> texts(int count, std::size_t bytes = 4) {
  for (int i = 0; i < count; ++i) {
    Text text{std::to_string(i), std::vector<std::uint8_t>(bytes, static_cast<std::uint8_t>(i))};
    co_yield std::move(text);
  }
}

auto training_of(int count, std::size_t bytes = 4) {
  return [=](Phase phase, std::uint32_t) {
    return texts(phase == Phase::training ? count : 0, bytes);
  };
}

/// A batch as it arrives.
struct Seen {
  std::vector<std::uint8_t> pixels;
  std::vector<std::int32_t> labels;
  std::vector<float> targets, weights;
  std::int64_t holes = 0;
  BatchTag tag{};

  friend bool operator==(const Seen& a, const Seen& b) {
    return a.pixels == b.pixels && a.labels == b.labels && a.targets == b.targets &&
           a.weights == b.weights && a.holes == b.holes && a.tag.step == b.tag.step &&
           a.tag.phase == b.tag.phase && a.tag.ends_epoch == b.tag.ends_epoch;
  }
};

struct How {
  StreamedOptions options{};
  OnError on_error = fail();
  int threads = 2;
  std::int64_t targets = 0;
  Bytes budget{};
  EachRowOptions rows{};
};

/// Batches of four images of 2x2.
template <class Make, class F>
std::vector<Seen> seen_of(Make make, F f, const How& how = {}) {
  Pipeline p{{.name = "look", .budget = how.budget, .threads = how.threads}};
  auto host = p.pool<HostBatch>(
      "host", 3, HostBatchFactory{.sample = {2, 2, 1}, .capacity = 4, .target_width = how.targets});
  auto rows = p.source("stream", host, Streamed(std::move(make), how.options));
  auto tickets =
      p.then(rows, {.name = "write", .concurrency = how.threads, .on_error = how.on_error},
             EachRow(std::move(f), how.rows));
  std::vector<Seen> seen;
  p.sink(p.then(p.gather(tickets), "batch", Batcher{}), "keep", [&](const Lease<HostBatch>& batch) {
    const auto pixels = batch->rows().as<std::uint8_t>();
    const auto first = [n = batch->size](const auto& values, std::int64_t width = 1) {
      return std::decay_t<decltype(values)>(values.begin(), values.begin() + n * width);
    };
    seen.push_back({{pixels.begin(), pixels.end()},
                    first(batch->labels),
                    first(batch->targets, batch->target_width),
                    first(batch->weights),
                    batch->holes,
                    batch->tag});
  });
  (void)p.run();
  return seen;
}

void fill(const Text& text, Row row) {
  std::copy(text.bytes.begin(), text.bytes.end(), row.pixels().begin());
  row.label(std::stoi(text.name));
}

}  // namespace

TEST_CASE("samples of a stream arrive in their rows, in the order of the stream") {
  const std::vector<Seen> seen = seen_of(training_of(6), fill, {.options = {.ticket_samples = 3}});
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].labels == std::vector<std::int32_t>{0, 1, 2, 3});
  CHECK(seen[1].labels == std::vector<std::int32_t>{4, 5});
  CHECK(seen[1].pixels == std::vector<std::uint8_t>{4, 4, 4, 4, 5, 5, 5, 5});
  CHECK(seen[1].weights == std::vector<float>{1, 1});
  CHECK(seen[1].tag.ends_run);
}

TEST_CASE("any number of threads gives the same batches") {
  const auto run = [](int threads) {
    return seen_of(
        [](Phase phase, std::uint32_t epoch) {
          return texts(phase == Phase::training ? 37 + static_cast<int>(epoch) : 9);
        },
        [](const Text& text, Row row) {
          if (text.name == "5") throw Error("unreadable");
          Random random = row.random();
          for (std::uint8_t& pixel : row.pixels()) {
            pixel = static_cast<std::uint8_t>(random.below(256));
          }
          row.label(std::stoi(text.name));
          row.weight(static_cast<float>(random.uniform()));
        },
        {.options = {.epochs = 3, .ticket_samples = 1}, .on_error = skip(), .threads = threads});
  };
  const std::vector<Seen> one = run(1);
  CHECK(one.size() == 3 * 10 + 3 * 3);
  CHECK(one == run(4));
}

TEST_CASE("a sample whose function throws is a hole, and its neighbours are not lost") {
  const std::vector<Seen> seen = seen_of(training_of(8),
                                         [](const Text& text, Row row) {
                                           if (text.name == "1" || text.name == "6")
                                             throw Error("unreadable");
                                           fill(text, row);
                                         },
                                         {.on_error = skip()});
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].labels == std::vector<std::int32_t>{0, 2, 3});
  CHECK(seen[0].holes == 1);
  CHECK(seen[1].labels == std::vector<std::int32_t>{4, 5, 7});
}

TEST_CASE("a sample that may not be skipped is an error with its name, once") {
  const auto failing = [](const char* what) {
    return [what](const Text& text, Row row) {
      if (text.name == "3") throw Error(what);
      fill(text, row);
    };
  };
  CHECK_THROWS_WITH(seen_of(training_of(8), failing("is no image")), "write: 3: is no image");
  CHECK_THROWS_WITH(seen_of(training_of(8), failing("3: is no image")), "write: 3: is no image");
  CHECK_THROWS_WITH(seen_of(training_of(8), failing("no"), {.on_error = skip(0)}),
                    Contains("write") && Contains("3: no"));
  CHECK_THROWS_WITH(seen_of(numbers(4, 4),
                            [](std::uint32_t n, Row row) {
                              row.label(0);
                              if (n == 502) throw Error("no");
                            }),
                    "write: validation sample #2: no");
}

TEST_CASE("what a stream throws is an error of its source") {
  const auto failing = [](Phase, std::uint32_t) -> Generator<Text> {
    co_yield Text();
    throw Error("shard 2: is cut short");
  };
  CHECK_THROWS_WITH(seen_of(failing, fill), "stream: shard 2: is cut short");
}

TEST_CASE("a row is cleared before it is written") {
  std::map<std::size_t, int> values;
  const std::vector<Seen> seen = seen_of(training_of(40), [](const Text& text, Row row) {
    row.label(0);
    row.pixels()[0] = text.bytes[0];
  });
  for (const Seen& batch : seen) {
    for (std::size_t i = 0; i < batch.pixels.size(); ++i) values[i % 4] += batch.pixels[i];
  }
  CHECK(values[0] == 39 * 40 / 2);
  CHECK(values[1] + values[2] + values[3] == 0);
}

TEST_CASE("a label alone is a row of zeros and a one in a batch with targets") {
  const auto seen = seen_of(training_of(4),
                            [](const Text& text, Row row) {
                              if (text.name == "1")
                                std::fill(row.target().begin(), row.target().end(), 0.0F);
                              if (text.name == "2") row.target()[0] = 0.25F;
                              if (text.name != "2") row.label(std::stoi(text.name) % 2);
                            },
                            {.targets = 2});
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].targets == std::vector<float>{1, 0, 0, 0, 0.25F, 0, 0, 1});
  CHECK(seen[0].labels == std::vector<std::int32_t>{0, 1, -1, 1});
}

TEST_CASE("what a row is told and cannot be is an error") {
  const auto told = [](auto tell, std::int64_t targets) {
    (void)seen_of(training_of(4), [tell](const Text&, Row row) { tell(row); },
                  {.targets = targets});
  };
  CHECK_THROWS_WITH(told([](Row row) { row.label(-1); }, 0),
                    "write: 0: label: expected 0 or more, not -1");
  CHECK_THROWS_WITH(told([](Row row) { row.weight(-1); }, 0),
                    "write: 0: weight: expected a finite number of 0 or more, not -1");
  CHECK_THROWS_WITH(told([](Row row) { row.label(2); }, 2),
                    "write: 0: label: 2 is none of the 2 classes of the targets");
  CHECK_THROWS_WITH(
      told([](Row) {}, 2),
      "write: 0: batches have targets, and neither target() nor label() of the row was called");
  CHECK_THROWS_WITH(told([](Row row) { row.values()[0] = 1; }, 0),
                    "write: 0: batches hold u8, which are no values: write pixels()");
}

TEST_CASE("a function of a sample may ask for the context, and change the sample") {
  const std::vector<Seen> seen = seen_of(training_of(4), [](Text& text, Row row, Context& context) {
    CHECK_FALSE(context.is_stopping());
    text.bytes[0] = 9;
    fill(text, row);
  });
  CHECK(seen.at(0).pixels[4] == 9);
}

TEST_CASE("the payload of a stream is charged for all slots, with what is pulled ahead") {
  const auto charged = [](const StreamedOptions& options) {
    Pipeline p;
    auto host = p.pool<HostBatch>("host", 3, HostBatchFactory{.sample = {2, 2, 1}, .capacity = 4});
    p.sink(p.source("stream", host, Streamed(training_of(4), options)), "drop",
           [](const Rows<Text>&) {});
    for (const Budget::Charge& charge : p.plan().charges) {
      if (charge.name == "stream payload") return charge.total();
    }
    return Bytes{};
  };
  CHECK(charged({}) == Bytes{});
  CHECK(charged({.payload = 2_KiB}) == 26_KiB);
  CHECK(charged({.batch = 2, .payload = 2_KiB}) == 14_KiB);
  CHECK(charged({.drop_last = true, .payload = 2_KiB}) == 32_KiB);
  CHECK(charged({.payload = 2_KiB, .buffered = 100}) == 226_KiB);
  CHECK_THROWS_AS(seen_of(training_of(4), fill, {.options = {.payload = 2_MiB}, .budget = 4_MiB}),
                  BudgetError);
}

TEST_CASE("samples that hold more than their payload are an error that says how much") {
  CHECK(seen_of(training_of(8, 3), fill, {.options = {.payload = 3_B}}).size() == 2);
  CHECK_THROWS_WITH(seen_of(training_of(8, 4), fill, {.options = {.payload = 3_B}}),
                    "stream: samples of a batch hold 16 B or more, more than the 4 x 3 B that were "
                    "charged; raise StreamedOptions::payload to 4 B or more");
  // The average of a batch counts.
  const auto uneven = [](Phase phase, std::uint32_t) -> Generator<std::string> {
    for (int i = 0; phase == Phase::training && i < 8; ++i) co_yield std::string(i % 2 * 4U, 'x');
  };
  const auto label = [](const std::string&, Row row) { row.label(0); };
  CHECK(seen_of(uneven, label, {.options = {.payload = 2_B}}).size() == 2);
  CHECK_THROWS_WITH(seen_of(uneven, label, {.options = {.payload = 1_B}}),
                    Contains("raise StreamedOptions::payload to 2 B"));
}

TEST_CASE("a decoder in a function of samples is copied with it, and has its options") {
  const std::filesystem::path path = MILLRACE_TEST_DATA "/io/orientation/6.png";
  const std::vector<std::byte> file = read_file(path);
  const DecoderOptions options{.exif_orientation = true};
  std::vector<std::uint8_t> expected(4);
  Decoder decoder(options);
  decoder.decode_file(path, {expected.data(), 2, 2, 1}, Filter::bilinear);
  const std::vector<Seen> seen = seen_of(
      [&file](Phase phase, std::uint32_t) {
        return [&file, n = phase == Phase::training ? 8 : 0]() mutable {
          return n-- > 0 ? std::optional(std::span<const std::byte>(file)) : std::nullopt;
        };
      },
      [d = Decoder(options)](std::span<const std::byte> bytes, Row row) mutable {
        d.decode(bytes, "six", row.image());
        row.label(0);
      });
  REQUIRE(seen.size() == 2);
  CHECK(std::equal(expected.begin(), expected.end(), seen[1].pixels.begin()));

  std::vector<float> floats(4);
  decoder.decode(file, "six", TensorView(std::span(floats), {2, 2, 1}));
  CHECK(floats == std::vector<float>(expected.begin(), expected.end()));
}

TEST_CASE("accumulated batches of a stream tell where their group began") {
  const std::vector<Told> told = batches_of(numbers(18), {.epochs = 2, .accumulate = 2});
  REQUIRE(told.size() == 10);
  CHECK(told[0].tag.next == ReaderPosition{});
  CHECK(told[1].tag.next == ReaderPosition{.step = 2, .position = 8});
  CHECK(told[2].tag.next == ReaderPosition{.step = 2, .position = 8});
  CHECK(told[4].tag.next == ReaderPosition{.epoch = 1, .pass = 1});
}
