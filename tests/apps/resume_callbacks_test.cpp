// Callbacks of runs that are gone on with, and how they end a run.

#include "apps/train_run.h"

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;

TEST_CASE("a run that goes on with another monitor begins its best anew and says so") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 10);
  const fs::path run_dir = scratch / "run";
  trained(data, run_dir,
          quick_steps(4, {"--patience", "9", "--plateau-patience", "9", "--restore-best"}));
  const auto more = [&](int epochs, const Arguments& options) {
    const Outcome outcome = run(
        with({"train", "--resume", run_dir.string(), "--epochs", std::to_string(epochs)}, options));
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
    return outcome.out;
  };
  // The first epoch of a best is the best so far, however little it is.
  CHECK_THAT(more(5, {"--monitor", "accuracy", "--monitor-mode", "min"}),
             Contains("callbacks  accuracy is watched from here on, not val_loss"));
  CHECK(read_file(run_dir / "best.safetensors") == read_file(run_dir / "model.safetensors"));
  CHECK_THAT(more(6, {}), !Contains("watched from here on"));  // config.ini has it by now
  CHECK_THAT(more(7, {"--monitor-mode", "auto"}),
             Contains("accuracy is watched from here on in the other direction"));
  CHECK(metrics(run_dir).size() == 7);
}

TEST_CASE("the best so far stays where a run that goes on names the loss that it has had anyway") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "grey", "light"}, 10);
  const fs::path run_dir = scratch / "run", plain_dir = scratch / "plain";
  const Arguments options = quick_steps(2, {"--patience", "9", "--restore-best"});
  trained(data, run_dir, options);
  trained(data, plain_dir, options);
  const auto more = [](const fs::path& dir, int epochs, const Arguments& loss) {
    const Outcome outcome =
        run(with({"train", "--resume", dir.string(), "--epochs", std::to_string(epochs)}, loss));
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
    return outcome.out;
  };
  more(plain_dir, 3, {});
  CHECK_THAT(more(run_dir, 3, {"--loss", "categorical_crossentropy"}), !Contains("is reset"));
  for (const char* file : {"best.safetensors", "model.safetensors"}) {
    CHECK(read_file(run_dir / file) == read_file(plain_dir / file));
  }
  CHECK_THAT(more(run_dir, 4, {"--loss", "categorical_focal_crossentropy"}),
             Contains("val_loss changes with this --loss: the best so far is reset"));
}

TEST_CASE("early stopping and a plateau that a run did not have begin where it goes on") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 10);
  const fs::path run_dir = scratch / "run";
  trained(data, run_dir, quick_steps(2, {"--learning-rate", "1e-30"}));
  const Outcome outcome = run({"train", "--resume", run_dir.string(), "--epochs", "9", "--patience",
                               "2", "--plateau-patience", "1"});
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  CHECK_THAT(outcome.out, Contains("callbacks  early stopping begins here"));
  CHECK_THAT(outcome.out, Contains("callbacks  the plateau begins here"));
  CHECK_THAT(outcome.out, Contains("early stopping after epoch 5"));  // best in 3, then two more
  CHECK(metrics(run_dir).size() == 5);
}

TEST_CASE("best weights are kept from where a run asks for them, and that is said") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 10);
  const fs::path run_dir = scratch / "run";
  trained(data, run_dir, quick_steps(2, {"--patience", "5"}));
  const Outcome outcome =
      run({"train", "--resume", run_dir.string(), "--epochs", "3", "--restore-best"});
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  CHECK_THAT(outcome.out, Contains("callbacks  --restore-best begins here"));
}

TEST_CASE("measures that a run did not have are columns from where it goes on") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 10);
  const fs::path run_dir = scratch / "run";
  trained(data, run_dir, quick_steps(2, {"--csv-log", (scratch / "log.csv").string()}));
  const Outcome outcome =
      run({"train", "--resume", run_dir.string(), "--epochs", "3", "--metrics", "f1,auc"});
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  for (const char* name : {"val_f1", "val_auc"}) {
    const std::vector<std::string> values = column(run_dir, name);
    REQUIRE(values.size() == 3);
    CHECK(values[0].empty());
    CHECK(values[1].empty());
    CHECK_FALSE(values[2].empty());
  }
  const std::vector<std::string> log = Outcome::lines(text_of(scratch / "log.csv"));
  REQUIRE(log.size() == 4);
  CHECK(log[0] == "epoch,accuracy,loss,val_accuracy,val_auc,val_f1,val_loss\r");
  CHECK_THAT(log[1], Contains(",NA,NA,"));
  CHECK_THAT(log[3], !Contains("NA"));
  // And a run without them keeps the columns.
  REQUIRE(
      run({"train", "--resume", run_dir.string(), "--epochs", "4", "--metrics", "auc"}).status ==
      0);
  CHECK(column(run_dir, "val_f1")[2] != "");
  CHECK(column(run_dir, "val_f1")[3].empty());
}

TEST_CASE("early stopping ends the run, says why, and can put the best weights back") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 10);
  const Outcome outcome =
      trained(data, scratch / "run",
              quick_steps(50, {"--learning-rate", "1e-30", "--patience", "2", "--restore-best"}));
  CHECK_THAT(outcome.out, Contains("early stopping after epoch 3: val_loss was best"));
  CHECK(metrics(scratch / "run").size() == 3);
  CHECK(fs::exists(scratch / "run/best.safetensors"));
  CHECK(run({"train", "--resume", (scratch / "run").string()}).out.find("has ended already") !=
        std::string::npos);
}

TEST_CASE("a loss that is not a number ends the run with a line that helps") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 10);
  const Arguments wild = quick_steps(3, {"--optimizer", "sgd", "--learning-rate", "1e30"});
  const Outcome outcome = train(data, scratch / "run", wild);
  CHECK(outcome.status == 1);
  CHECK_THAT(outcome.err, Contains("try a lower learning rate"));
  CHECK(train(data, scratch / "other", with(wild, {"--no-stop-on-nan"})).status == 0);
}

TEST_CASE("a run that early stopping ended goes on with more patience, as if it had had it") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "grey", "light"}, 10);
  const fs::path run_dir = scratch / "run";
  const auto options = [](int epochs, const std::string& patience) {
    // What falls while it learns is worse from epoch to epoch.
    return quick_steps(epochs, {"--learning-rate", "0.01", "--monitor", "loss", "--monitor-mode",
                                "max", "--patience", patience});
  };
  const Outcome first = trained(data, run_dir, options(9, "2"));
  REQUIRE_THAT(first.out, Contains("early stopping after epoch 3"));
  const auto more = [&](const Arguments& arguments) {
    const Outcome outcome = run(with({"train", "--resume", run_dir.string()}, arguments));
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
    return outcome.out;
  };
  CHECK_THAT(more({"--epochs", "20"}),
             Contains("has ended already: early stopping after epoch 3") &&
                 Contains("to resume, give --patience 3 or more"));
  CHECK_THAT(more({"--epochs", "3", "--patience", "4"}), Contains("all 3 epochs are trained"));
  CHECK(metrics(run_dir).size() == 3);
  CHECK_THAT(more({"--patience", "4"}), Contains("early stopping after epoch 5"));
  CHECK_THAT(more({"--epochs", "7", "--patience", "30"}), Contains("in epoch 6"));
  trained(data, scratch / "whole", options(7, "30"));
  CHECK(read_file(run_dir / "model.safetensors") == read_file(scratch / "whole/model.safetensors"));
  CHECK(figures(run_dir) == figures(scratch / "whole"));
}

TEST_CASE("a run that ended with its best weights says that it goes on from those") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 10);
  const fs::path run_dir = scratch / "run";
  trained(data, run_dir,
          quick_steps(9, {"--learning-rate", "1e-30", "--patience", "2", "--restore-best"}));
  const Outcome outcome = run({"train", "--resume", run_dir.string(), "--patience", "3"});
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  CHECK_THAT(outcome.out, Contains("ended with its best weights (--restore-best)"));
  CHECK_THAT(outcome.out, Contains("early stopping after epoch 4"));
}

TEST_CASE("a run that early stopping ended goes on where another figure is watched") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 10);
  const fs::path run_dir = scratch / "run";
  trained(data, run_dir, quick_steps(9, {"--learning-rate", "1e-30", "--patience", "2"}));
  const Outcome outcome = run({"train", "--resume", run_dir.string(), "--monitor", "val_accuracy"});
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  CHECK_THAT(outcome.out, Contains("early stopping after epoch 6: val_accuracy was best"));
}

TEST_CASE("pruning that a run did not have begins where it goes on, as it would have there") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 10);
  const fs::path run_dir = scratch / "run", whole = scratch / "whole";
  const Arguments pruning = {"--prune", "constant", "--prune-frequency", "3"};
  trained(data, whole, quick_steps(4, with(pruning, {"--prune-begin", "8"})));
  trained(data, run_dir, quick_steps(2));  // of 4 steps each
  const Outcome outcome =
      run(with({"train", "--resume", run_dir.string(), "--epochs", "4"}, pruning));
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  CHECK_THAT(outcome.out, Contains("from step 8") && Contains("pruning begins here"));
  CHECK(read_file(run_dir / "model.safetensors") == read_file(whole / "model.safetensors"));
  CHECK(column(run_dir, "sparsity").back() == column(whole, "sparsity").back());
  CHECK(column(run_dir, "sparsity").front().empty());
  CHECK_THAT(text_of(run_dir / "config.ini"), Contains("prune-begin = 8"));
  // What was best before is not pruned, so it is best no more.
  CHECK(fs::read_symlink(run_dir / "checkpoints/best.ckpt") > "step-00000008.ckpt");
}

TEST_CASE("pruning as tfmot does it can be added to a run too") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 10);
  const fs::path run_dir = scratch / "run";
  trained(data, run_dir, quick_steps(2, {"--keras-compat", "--patience", "9", "--restore-best"}));
  const Outcome outcome = run({"train", "--resume", run_dir.string(), "--epochs", "4", "--prune",
                               "polynomial", "--prune-frequency", "2"});
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  CHECK_THAT(outcome.out, Contains("sparsity 0 to 0.5 from step 8 to 16, every 2"));
  CHECK_FALSE(column(run_dir, "sparsity")[2].empty());
}
