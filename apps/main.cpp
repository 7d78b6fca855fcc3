// The program `millrace`: finds the command and turns exceptions into one line and an exit status.

#include "apps/commands.h"

#include <millrace/core/error.h>
#include <millrace/core/shown_text.h>

#include <malloc.h>
#include <algorithm>
#include <array>
#include <exception>
#include <iostream>
#include <string_view>

namespace {

using millrace::apps::Arguments;

struct Command {
  std::string_view name;
  int (*run)(const Arguments&);
  std::string_view summary;
};

constexpr std::array<Command, 7> kCommands = {{
    {"train", millrace::apps::train, "train a model on images or a table"},
    {"evaluate", millrace::apps::evaluate, "measure how good a trained model is on a data set"},
    {"predict", millrace::apps::predict, "apply a trained model to images or rows of a table"},
    {"inspect", millrace::apps::inspect, "look at devices, a data set or a model before training"},
    {"bench", millrace::apps::bench, "measure how fast models and pipelines are on this machine"},
    {"convert", millrace::apps::convert,
     "convert a data set, weights or a model into another format"},
    {"prune", millrace::apps::prune, "set the smallest weights of a trained model to zero"},
}};

void print_help(std::ostream& out) {
  out << "millrace " MILLRACE_VERSION
         ": training image models as a flow graph\n\n"
         "usage: millrace COMMAND [ARGUMENTS] [OPTIONS]\n\n";
  for (const Command& command : kCommands) {
    out << "  " << command.name << std::string(10 - command.name.size(), ' ') << command.summary
        << '\n';
  }
  out << "\n'millrace COMMAND --help' lists the options of a command.\n"
         "The shortest way to a model: millrace train PHOTOS, where PHOTOS is a folder\n"
         "with one folder of images for each class.\n"
         "Exit status: 0 ok, 1 the run failed, 2 bad usage, 129, 130 or 143 stopped by a\n"
         "signal.\n";
}

/// Lets large images go back to the system when they are freed, so that what is planned for them
/// is what is taken. By itself glibc raises its bound with each freed block, up to 32 MiB, and each
/// thread keeps what it freed.
void return_large_blocks() {
#ifdef __GLIBC__
  constexpr int kLarge = 4 << 20;
  ::mallopt(M_MMAP_THRESHOLD, kLarge);
  ::mallopt(M_TRIM_THRESHOLD, 2 * kLarge);  // glibc's own proportion
#endif
}

bool is_help(std::string_view word) {
  return word == "--help" || word == "-h" || word == "help";
}

int run(const Arguments& all) {
  const std::string_view name = all.empty() ? "" : std::string_view(all.front());
  if (is_help(name)) {
    if (all.size() == 1) {
      print_help(std::cout);
      return 0;
    }
    Arguments of_command(all.begin() + 1, all.end());  // "help bench train"
    if (!is_help(of_command.front())) of_command.emplace_back("--help");
    return run(of_command);
  }
  if (name == "--version") {
    std::cout << "millrace " MILLRACE_VERSION "\n";
    return 0;
  }
  const auto command = std::find_if(kCommands.begin(), kCommands.end(),
                                    [&](const Command& c) { return c.name == name; });
  if (command == kCommands.end()) {
    throw millrace::UsageError(name.empty() ? std::string("no command; 'millrace --help' lists all")
                                            : millrace::concat("unknown command '", name,
                                                               "'; 'millrace --help' lists all"));
  }
  return command->run(Arguments(all.begin() + 1, all.end()));
}

}  // namespace

int main(int argc, char** argv) {
  return_large_blocks();
  try {
    const int status = run(Arguments(argv + 1, argv + argc));
    std::cout.flush();
    // Who was stopped says so in any case: a terminal that has gone takes the output with it.
    if (!std::cout && status < 128) throw millrace::Error("cannot write to standard output");
    return status;
  } catch (const millrace::UsageError& error) {
    std::cerr << "millrace: " << millrace::shown(error.what()) << '\n';
    return 2;
  } catch (const millrace::ErrorWithSum& error) {
    std::cerr << "millrace: " << error.what() << '\n';
  } catch (const std::bad_alloc&) {
    std::cerr << "millrace: out of memory; use smaller batches or images, or a smaller model\n";
  } catch (const std::exception& error) {
    std::cerr << "millrace: " << millrace::shown(error.what()) << '\n';
  }
  return 1;
}
