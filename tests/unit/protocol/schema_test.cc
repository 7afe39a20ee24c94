// The generator refuses bad schemas, and says where.
#include "protocol/generator/schema.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "protocol/generator/emit.h"
#include "protocol/generator/names.h"

using namespace tidemark::codegen;

namespace {

// A folder of schemas that lives for one test.
class SchemaFolder {
 public:
  SchemaFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tidemark-schemas-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    root_ = pattern;
    std::filesystem::create_directories(root_ / "messages");
    std::filesystem::create_directories(root_ / "records" / "test");
  }
  ~SchemaFolder() { std::filesystem::remove_all(root_); }
  SchemaFolder(const SchemaFolder&) = delete;
  SchemaFolder& operator=(const SchemaFolder&) = delete;

  void write(const std::string& path, const std::string& text) const { std::ofstream(root_ / path) << text; }
  [[nodiscard]] Schemas load() const { return load_schemas(root_); }

 private:
  std::filesystem::path root_;
};

const std::string kHead = "record: R\nkind: data\nversions: 0-3\nflexible: 2+\nfields:\n";

std::string error_of(const std::string& record) {
  SchemaFolder folder;
  folder.write("records/test/R.yaml", record);
  try {
    (void)folder.load();
  } catch (const SchemaError& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a field's mistake is told with file, line, struct and field") {
  CHECK(error_of(kHead + "  - {name: A, type: int33, versions: 0+}\n") ==
        "records/test/R.yaml:6: R.A: unknown type int33");
  CHECK(
      error_of(kHead + "  - {name: A, type: int8, versions: 0+}\n  - {name: B, type: int8, versions: x}\n") ==
      "records/test/R.yaml:7: R.B: `versions: x` is not a version range (3, 1-5, 2+ or none)");
  CHECK(error_of(kHead + "  - {name: A, type: int8}\n").find("R.A: `versions` is missing") !=
        std::string::npos);
  CHECK(error_of(kHead + "  - {name: A, type: int8, versions: 0+, nulable: 0+}\n")
            .find("R.A: unknown key `nulable`") != std::string::npos);
}

TEST_CASE("tags from 10000 on are our own, and leave the others' count alone") {
  const std::string ours = "  - {name: B, type: int8, versions: 2+, tag: 10000, tagged: 2+}\n";
  const std::string first = "  - {name: A, type: int8, versions: 2+, tag: 0, tagged: 2+}\n";
  CHECK(error_of(kHead + ours).empty());
  CHECK(error_of(kHead + first + ours).empty());
  CHECK(error_of(kHead + "  - {name: A, type: int8, versions: 2+, tag: 9999, tagged: 2+}\n" + ours)
            .find("tags must be 0, 1, 2") != std::string::npos);
}

TEST_CASE("every rule of a field is checked") {
  const std::pair<const char*, const char*> cases[] = {
      {"{name: A, type: int8, versions: 0+, default: 300}", "does not fit the type"},
      {"{name: A, type: bool, versions: 0+, default: 1}", "does not fit the type"},
      {"{name: A, type: int8, versions: 0+, nullable: 0+}", "cannot be null"},
      {"{name: A, type: string, versions: 0+, default: null}", "never allowed"},
      {"{name: A, type: int8, versions: 0+, tag: 0}", "go together"},
      {"{name: A, type: int8, versions: 0+, tag: 0, tagged: 1+}", "not flexible"},
      {"{name: A, type: int8, versions: 0+, tag: 1, tagged: 2+}", "tags must be 0, 1, 2"},
      {"{name: A, type: int8, versions: 3-1}", "ends before it begins"},
      {"{name: A, type: \"[]bool\", versions: 0+}", "no array of this type"},
      {"{name: A, type: int8, versions: 0+, fields: []}", "type is no struct"},
      {"{name: WireVersion, type: int8, versions: 0+}", "generated functions use"},
      {"{name: A, type: int8, versions: 0+, ignorable: maybe}", "neither true nor false"},
  };
  for (const auto& [field, expected] : cases) {
    INFO(field);
    CHECK(error_of(kHead + "  - " + field + "\n").find(expected) != std::string::npos);
  }
}

TEST_CASE("structs must be defined once, used, and not hold themselves") {
  CHECK(error_of(kHead + "  - {name: A, type: S, versions: 0+, fields: [{name: B, type: S, versions: 0+}]}\n")
            .find("holds itself") != std::string::npos);
  CHECK(error_of(kHead + "  - {name: A, type: S, versions: 0+, fields: []}\n"
                         "  - {name: B, type: S, versions: 0+, fields: []}\n")
            .find("defined twice") != std::string::npos);
  CHECK(error_of(kHead + "  - {name: A, type: S, versions: 7+, fields: []}\n").find("no version uses") !=
        std::string::npos);
}

TEST_CASE("files must be called after what they define, and YAML mistakes have a line") {
  SchemaFolder folder;
  folder.write("records/test/Other.yaml", kHead + "  - {name: A, type: int8, versions: 0+}\n");
  CHECK_THROWS_WITH(folder.load(), Catch::Contains("should be called R.yaml"));
  CHECK(error_of("record: R\nkind: [\n").find("records/test/R.yaml:3") == 0);
  CHECK(error_of("record: R\nkind: stone\n").find("unknown kind stone") != std::string::npos);
}

TEST_CASE("names are spelled for C++ and JSON") {
  CHECK(snake_case("ReplicaId") == "replica_id");
  CHECK(snake_case("KRaftVersionFeature") == "kraft_version_feature");
  CHECK(snake_case("V3AndBelowTopics") == "v3_and_below_topics");
  CHECK(snake_case("Enable2Pc") == "enable2_pc");
  CHECK(snake_case("Operator") == "operator_");
  CHECK(camel_case("ReplicaId") == "replicaId");
}

TEST_CASE("version conditions say no more than needed") {
  CHECK(condition({0, kNoUpperVersion}, {4, 18}).empty());
  CHECK(condition({7, kNoUpperVersion}, {4, 18}) == "wire_version >= 7");
  CHECK(condition({0, 12}, {4, 18}) == "wire_version <= 12");
  CHECK(condition({5, 7}, {4, 18}) == "wire_version >= 5 && wire_version <= 7");
  CHECK(condition({0, 3}, {4, 18}) == "false");
}
