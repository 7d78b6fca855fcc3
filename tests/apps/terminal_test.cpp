// The program on a terminal, and on what is none; and what happens when the terminal goes.

#include "apps/pseudo_terminal.h"
#include "apps/screen_text.h"
#include "apps/train_run.h"

#include <sys/wait.h>
#include <algorithm>
#include <csignal>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;

namespace {

using Variables = std::map<std::string, std::string>;

const Variables kTerminal{{"TERM", "xterm"}, {"CI", ""}, {"COLUMNS", "300"}};

Outcome train_on(const Scratch& scratch, int epochs, RunOptions options,
                 const Arguments& more = {}) {
  if (!fs::exists(scratch / "data")) write_classes(scratch / "data", {"dark", "light"}, 20);
  if (options.environment.empty()) options.environment = kTerminal;
  return run(with({"train", (scratch / "data").string(), "--run-dir", (scratch / "run").string()},
                  quick_steps(epochs, more)),
             options);
}

/// From the first line of progress on, up to where the model is.
std::string progress_of(const std::string& out) {
  const std::size_t begin = out.find('\n', out.find("run  ")) + 1;
  return out.substr(begin, out.find("the model is") - begin);
}

std::ptrdiff_t newlines(std::string_view text) {
  return std::count(text.begin(), text.end(), '\n');
}

std::size_t checkpoints(const Scratch& scratch) {
  const fs::directory_iterator files(scratch / "run" / "checkpoints");
  return static_cast<std::size_t>(std::distance(begin(files), end(files)));
}

}  // namespace

TEST_CASE("on a terminal of any width an epoch is a line that fits, and nothing else is left") {
  const int columns = GENERATE(40, 80, 140);
  const Scratch scratch;
  Terminal terminal(columns);
  const Outcome outcome = train_on(scratch, 3, {.terminal = &terminal}, {"--metrics", "auc"});
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  CHECK(outcome.err.empty());
  CHECK_THAT(outcome.out, Contains("epoch 1/3") && Contains("\033[J"));
  ScreenText screen(columns);
  screen.write(progress_of(outcome.out));
  CHECK(screen.wraps() == 0);
  const std::vector<std::string> lines = screen.lines();
  REQUIRE(lines.size() == 3);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    CHECK_THAT(lines[i], Contains(concat("epoch ", i + 1, "/3  ")) && Contains("  val_auc "));
    CHECK(static_cast<int>(lines[i].size()) < columns);
  }
}

TEST_CASE("a run follows the width of its terminal") {
  const Scratch scratch;
  Terminal terminal(140);
  const auto narrow = [&](pid_t program) {
    ::kill(program, SIGSTOP);
    ::waitpid(program, nullptr, WUNTRACED);  // now it writes nothing
    terminal.write("\n<narrow>\n");
    terminal.resize(40);
    ::kill(program, SIGCONT);
  };
  const auto has_gone_on = [](const std::string& out) {
    const std::size_t mark = out.find("<narrow>");
    return mark != std::string::npos && newlines(out.substr(mark)) > 12;
  };
  const Outcome outcome =
      train_on(scratch, 1'000'000,
               {.steps = {{"epoch 2/", narrow},
                          {"", [](pid_t program) { ::kill(program, SIGTERM); }, has_gone_on}},
                .terminal = &terminal},
               {"--no-checkpoints"});
  REQUIRE(outcome.status == 128 + SIGTERM);
  const std::string out = progress_of(outcome.out);
  const std::size_t mark = out.find("\n<narrow>\r\n");
  ScreenText wide(140);
  wide.write(out.substr(0, mark));
  CHECK(wide.wraps() == 0);
  CHECK_THAT(wide.lines().front(), Contains(" images/s  "));
  // It may have been stopped between asking for the width and writing a line.
  const std::size_t next = out.find('\n', out.find('\n', mark + 1) + 1) + 1;
  ScreenText screen(40);
  screen.write(out.substr(next));
  CHECK(screen.wraps() == 0);
  for (const std::string& line : screen.lines()) {
    CHECK(line.substr(0, 6) == "epoch ");
    CHECK(line.size() < 40);
  }
  CHECK(screen.lines().size() >= 10);
}

TEST_CASE("where output is kept, an epoch is one plain line") {
  const auto [is_terminal, variables] =
      GENERATE(table<bool, Variables>({{false, kTerminal},
                                       {true, {{"TERM", "dumb"}, {"CI", ""}}},
                                       {true, {{"TERM", ""}, {"CI", ""}}},
                                       {true, {{"TERM", "xterm"}, {"CI", "true"}}}}));
  const Scratch scratch;
  Terminal terminal(80);
  const Outcome outcome = train_on(
      scratch, 4, {.environment = variables, .terminal = is_terminal ? &terminal : nullptr},
      {"--metrics", "auc,f1"});
  REQUIRE(outcome.status == 0);
  CHECK(outcome.out.find('\033') == std::string::npos);
  std::string text = outcome.out;
  if (is_terminal) std::erase(text, '\r');  // the terminal puts one before each end of a line
  CHECK(text.find('\r') == std::string::npos);
  const std::vector<std::string> lines = Outcome::lines(progress_of(text));
  REQUIRE(lines.size() == 4);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    CHECK_THAT(lines[i], Contains(concat("epoch ", i + 1, "/4  loss ")) &&
                             Contains("  val_loss ") && Contains("  val_auc ") &&
                             Contains("  val_f1 ") && Contains(" images/s  "));
  }
}

TEST_CASE("a run whose terminal goes stops with a checkpoint, to go on from") {
  const Scratch scratch;
  Terminal terminal(80);
  const Outcome outcome = train_on(
      scratch, 1'000'000,
      {.steps = {{"epoch 2/", [&](pid_t) { terminal.hang_up(); }}}, .terminal = &terminal});
  CHECK(outcome.status == 128 + SIGHUP);
  CHECK_THAT(outcome.err, Contains("stopped by a signal after step") &&
                              Contains("resume with: millrace train --resume"));
  CHECK(checkpoints(scratch) >= 1);
}

TEST_CASE("a second SIGHUP does not end a run before its checkpoint is written") {
  const Scratch scratch;
  const auto hang_up = [](pid_t program) {  // the shell and the system
    send_signal(program, SIGHUP);
    send_signal(program, SIGHUP);
  };
  const Outcome outcome = train_on(scratch, 1'000'000, {.steps = {{"epoch 2/", hang_up}}});
  CHECK(outcome.status == 128 + SIGHUP);
  CHECK_THAT(outcome.err, Contains("stopped by a signal after step"));
  CHECK(checkpoints(scratch) >= 1);
}

TEST_CASE("SIGHUP that was ignored at the start, as under nohup, stays ignored") {
  const Scratch scratch;
  const auto hang_up = [](pid_t program) { send_signal(program, SIGHUP); };
  const Outcome outcome =
      train_on(scratch, 5, {.steps = {{"epoch 1/", hang_up}}, .ignores_hangup = true});
  CHECK(outcome.status == 0);
  CHECK_THAT(outcome.out, Contains("epoch 5/5"));
}

TEST_CASE("a run that is stopped while its algorithms are timed ends there, and leaves nothing") {
  const Scratch scratch;
  write_classes(scratch / "data", {"dark", "light"}, 20);
  Variables variables = kTerminal;
  variables["XDG_CACHE_HOME"] = (scratch / "cache").string();  // no times are kept
  Terminal terminal(80);
  const Outcome outcome =
      run({"train", (scratch / "data").string(), "--run-dir", (scratch / "run").string(), "--model",
           "resnet18", "--size", "96", "--epochs", "1000"},
          {.environment = variables,
           .signal = SIGINT,
           .signal_at = "finding the fastest algorithms",
           .terminal = &terminal});
  INFO(outcome.err);
  CHECK(outcome.status == 128 + SIGINT);
  CHECK_THAT(outcome.err, Contains("stopped by a signal before training began"));
  CHECK_FALSE(fs::exists(scratch / "run"));
}
