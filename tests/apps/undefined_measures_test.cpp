// Measures that the samples do not define, since too little is known of a target or all are of one
// class: they are told as a dash, and neither watched nor taken for good ones.

#include "apps/known_model.h"
#include "apps/train_run.h"

#include <regex>

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;

namespace {

/// "a,b,price,days", all known.
std::string known_rows(int count) {
  std::string text = "a,b,price,days\n";
  for (int i = 0; i < count; ++i) {
    const int a = i * 7 % 10, b = i * 3 % 8;
    text += concat(a, ',', b, ',', a + b, ',', a - b, '\n');
  }
  return text;
}

const std::string kOnce = "a,b,price,days\n1,2,3,1\n2,3,,2\n3,4,NA,3\n";
const std::string kNever = "a,b,price,days\n1,2,,\n2,3,NA,?\n";

Arguments steps(const std::filesystem::path& validation, const Arguments& more) {
  return with({"--model", "mlp:8", "--epochs", "2", "--batch", "8", "--validation",
               validation.string(), "--targets", "price,days"},
              more);
}

}  // namespace

TEST_CASE("a measure that validation does not define is a dash, and is not watched") {
  const Scratch scratch;
  const auto data = scratch.write("t.csv", known_rows(40));
  const auto once = scratch.write("once.csv", kOnce);
  const auto refused = [&](const Arguments& more, const std::string& why) {
    const Outcome outcome = train(data, scratch / "run", steps(once, more));
    CHECK(outcome.status == 1);
    CHECK_THAT(outcome.err, Contains(why));
    CHECK_FALSE(std::filesystem::exists(scratch / "run"));
  };
  refused({"--monitor", "val_r2 price", "--patience", "2", "--restore-best"},
          "once.csv: val_r2 price is not defined for the validation samples, for which it needs "
          "two known values of a target; --monitor another figure, as val_loss");
  const Outcome told =
      trained(data, scratch / "told", steps(once, {"--metrics", "r2,mae price,r2 price"}));
  CHECK_THAT(told.out, Contains("note: val_r2 price is not defined for the validation samples"));
  CHECK_THAT(told.out, Contains("val_r2 price -  ") && Contains("val_mae price ") &&
                           !Contains("nan") && !Contains("val_r2 is not"));
}

TEST_CASE("an area under the curve of one kind alone is not watched") {
  const Scratch scratch;
  const auto labels = scratch.write("l.csv", "a,b,y\n1,2,0\n3,4,1\n5,6,0\n7,8,1\n9,1,0\n2,2,1\n");
  const auto ones = scratch.write("ones.csv", "a,b,y\n1,2,1\n3,4,1\n");
  const Arguments more{"--model", "mlp:8",        "--epochs",    "1",         "--batch",
                       "4",       "--validation", ones.string(), "--monitor", "val_auc"};
  for (const bool are_targets : {false, true}) {
    const Outcome outcome =
        train(labels, scratch / "run", are_targets ? with(more, {"--targets", "y"}) : more);
    CHECK(outcome.status == 1);
    CHECK_THAT(outcome.err,
               Contains("ones.csv: val_auc is not defined for the validation samples, for which it "
                        "needs ") &&
                   Contains(are_targets ? "known labels of both kinds" : "samples of two classes"));
  }
}

TEST_CASE("samples of which no target is known are not measured") {
  const Scratch scratch;
  const auto data = scratch.write("t.csv", known_rows(40));
  const auto never = scratch.write("never.csv", kNever);
  const Outcome outcome = train(data, scratch / "run", steps(never, {"--patience", "3"}));
  CHECK(outcome.status == 1);
  CHECK_THAT(outcome.err, Contains("never.csv: no target is known of any sample to validate on"));
  (void)trained(data, scratch / "good", steps(data, {}));
  check_refused({"evaluate", (scratch / "good").string(), never.string()}, 1,
                "never.csv: no target is known of any sample, so there is nothing to measure");
  const auto one = scratch.write("one.csv", "a,b,price,days\n1,2,3,1\n");
  const Outcome measured = run({"evaluate", (scratch / "good").string(), one.string()});
  CHECK(measured.status == 0);
  CHECK_THAT(measured.out, !Contains("nan"));
  CHECK(std::regex_search(measured.out, std::regex("mean +[0-9.e-]+ +[0-9.e-]+ +- +2")));
}

TEST_CASE("what is one of its kind is told in the singular") {
  const Scratch scratch;
  std::string text = known_rows(8);
  const auto data = scratch.write("t.csv", text);
  const auto one = scratch.write("one.csv", "a,b,price,days\n1,2,3,1\n");
  const auto is_singular = [](const Outcome& outcome) {
    INFO(outcome.out << outcome.err);
    static const std::regex kMany(
        "(^|[^0-9.,])1 (epochs|samples|images|rows|files|classes|targets|batches|steps|columns|"
        "outputs|values)\\b");
    CHECK_FALSE(std::regex_search(outcome.out + outcome.err, kMany));
  };
  const Arguments once{"--model", "mlp:8",        "--epochs",   "1",         "--batch",
                       "8",       "--validation", one.string(), "--targets", "price"};
  const Outcome whole = trained(data, scratch / "run", once);
  is_singular(whole);
  CHECK_THAT(whole.out, Contains("training    1 epoch, batch 8"));
  is_singular(run({"evaluate", (scratch / "run").string(), one.string()}));
  is_singular(run({"inspect", (scratch / "run").string()}));
  is_singular(run({"inspect", "data", one.string(), "--targets", "price"}));
  is_singular(train(data, scratch / "drop", with(once, {"--drop-last", "--batch", "9"})));
  is_singular(train(one, scratch / "few", with(once, {"--drop-last"})));
  scratch.write("one.csv", "a,b,price,days\n1,2,4,1\n");
  const Outcome changed = run({"train", "--resume", (scratch / "run").string(), "--epochs", "2"});
  CHECK(changed.status == 1);
  CHECK_THAT(changed.err, Contains("(then 1 sample, now 1 sample of other names or classes)"));
}
