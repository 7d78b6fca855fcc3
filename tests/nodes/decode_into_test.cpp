#include "catch.h"
#include "nodes/numbered.h"

#include <millrace/nodes/decode_into.h>

using namespace millrace;

namespace {

struct Decoded {
  Budget budget;
  Pool<HostBatch> pool{"host", 1, HostBatchFactory{.sample = {4, 4, 1}, .capacity = 8}, budget};
  Lease<HostBatch> batch = pool.try_acquire();
  std::vector<std::string> skipped;

  /// Decodes rows 2..5 as samples 12..15, of which 13 is bad.
  void run(bool may_skip, std::stop_token stop = {}) {
    const auto data =
        std::make_shared<const Numbered>(20, Shape{4, 4, 1}, std::set<std::uint32_t>{13});
    batch->size = 8;
    for (std::uint32_t i = 0; i < 8; ++i) batch->index[i] = 10 + i;
    batch->valid.assign(8, 0);
    const Context::Skip on_skip = [&](const std::string& what) {
      if (!may_skip) throw Error(what);
      skipped.push_back(what);
    };
    Context context(0, std::move(stop), on_skip);
    DecodeInto(data, data, Filter::nearest)({batch, 2, 4}, context);
  }
};

}  // namespace

TEST_CASE("a ticket's samples land in their rows and nowhere else") {
  Decoded d;
  d.run(true);
  CHECK(d.batch->row(2).as<std::uint8_t>()[5] == Numbered::pixel(12, 5));
  CHECK(d.batch->row(5).as<std::uint8_t>()[0] == Numbered::pixel(15, 0));
  CHECK(d.batch->row(1).as<std::uint8_t>()[5] == 0);
  CHECK(d.batch->row(6).as<std::uint8_t>()[5] == 0);
}

TEST_CASE("a bad sample is a hole and its neighbours are not lost") {
  Decoded d;
  d.run(true);
  CHECK(d.batch->valid == std::vector<std::uint8_t>{0, 0, 1, 0, 1, 1, 0, 0});
  CHECK(d.skipped == std::vector<std::string>{"sample 13: is bad"});
}

TEST_CASE("a bad sample that may not be skipped is an error that names it") {
  Decoded d;
  CHECK_THROWS_WITH(d.run(false), "sample 13: is bad");
}

TEST_CASE("a run that is stopping decodes no more") {
  Decoded d;
  std::stop_source stop;
  stop.request_stop();
  d.run(true, stop.get_token());
  CHECK(d.batch->valid == std::vector<std::uint8_t>(8, 0));
}
