// Tables that predict reads: rows with and without labels, and those that cannot be read.

#include "apps/known_model.h"

#include <cmath>

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;

TEST_CASE("predict gives row, class and probability of tables, with and without labels") {
  const Scratch scratch;
  const auto model = save_difference(scratch / "m.safetensors", kNamed).string();
  const std::string file = scratch.write("t.csv", "b,a\n1,3\n2,1.5\n").string();
  const Outcome text = run({"predict", model, file});
  CHECK(text.status == 0);
  CHECK(text.err.empty());
  CHECK(text.out == file + " #0\t1\t0.8808\n" + file + " #1\t0\t0.6225\n");

  const std::string more = scratch.write("more.csv", "id,y,b,a\nx,?,1,3\n").string();
  const Outcome json = run({"predict", model, file, more, "--json", "--top", "2", "--batch", "2"});
  CHECK(json.status == 0);
  CHECK(json.err == "note: " + more + ": left out 1 column that the model does not know: 'id'\n");
  const auto lines = Outcome::lines(json.out);
  REQUIRE(lines.size() == 3);
  const auto last = nlohmann::json::parse(lines[2]);
  CHECK(last["path"] == more);
  CHECK(last["row"] == 0);
  CHECK(last["classes"][0]["class"] == "1");
  CHECK(last["classes"][0]["probability"].get<double>() ==
        Approx(1 / (1 + std::exp(-2))).epsilon(1e-5));
  CHECK(nlohmann::json::parse(lines[1])["row"] == 1);
}

TEST_CASE("predict takes columns in order where a model or a table has no names") {
  const Scratch scratch;
  const auto old = save_difference(scratch / "old.safetensors", {}).string();
  const auto named = save_difference(scratch / "named.safetensors", kNamed).string();
  const std::string bare = scratch.write("bare.csv", "3,1\n1.5,2\n").string();
  const std::string labelled = scratch.write("labelled.csv", "3,1,cat\n1.5,2,dog\n").string();
  for (const std::string& model : {old, named}) {
    CHECK(run({"predict", model, bare}).out ==
          bare + " #0\t1\t0.8808\n" + bare + " #1\t0\t0.6225\n");
    const Outcome outcome = run({"predict", model, labelled});
    CHECK(outcome.out == labelled + " #0\t1\t0.8808\n" + labelled + " #1\t0\t0.6225\n");
    CHECK_THAT(outcome.err, Contains("column 3 is taken for the label and left out"));
  }
  const auto first = save_difference(scratch / "first.safetensors", {.label_column = 1}).string();
  CHECK_THAT(run({"predict", first, scratch.write("l.csv", "7,3,1\n").string()}).out,
             Contains(" #0\t1\t0.8808\n"));
}

TEST_CASE("predict names tables that cannot be read and goes on with the others") {
  const Scratch scratch;
  const auto model = save_difference(scratch / "m.safetensors", kNamed).string();
  const std::string good = scratch.write("good.csv", "a,b\n3,1\n").string();
  const std::string bad = scratch.write("bad.csv", "a,b\n3,nan\n").string();
  const Outcome outcome = run({"predict", model, bad, good, (scratch / "none.csv").string()});
  CHECK(outcome.status == 1);
  CHECK(outcome.out == good + " #0\t1\t0.8808\n");
  CHECK_THAT(outcome.err,
             Contains("bad.csv:2: column 2 'b': 'nan' is no value") && Contains("none.csv"));
  check_refused({"predict", model, scratch.path().string()}, 1,
                ": a folder; name the tables in it");
  check_refused({"predict", model, scratch.write("c.csv", "a,c\n3,1\n").string()}, 1,
                "c.csv:1: has no column 'b', which the model needs; its columns are 'a', 'c'");
}
