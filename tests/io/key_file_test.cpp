#include "io/key_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace colo::io {
namespace {

class KeyFile : public testing::Test {
 protected:
  KeyFile() {
    std::string pattern = (std::filesystem::temp_directory_path() / "colo-key-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
    path_ = directory_ / "ledger.key";
  }
  ~KeyFile() override { std::filesystem::remove_all(directory_); }

  void write(const std::string& text, ::mode_t mode = 0600) {
    std::ofstream(path_, std::ios::binary) << text;
    ::chmod(path_.c_str(), mode);
  }
  std::string word() {
    const auto key = read_key_file(path_);
    return key ? "" : key.error().word;
  }

  std::filesystem::path directory_;
  std::filesystem::path path_;
};

TEST_F(KeyFile, IsMadeForItsOwnerAloneAndReadBack) {
  ASSERT_TRUE(create_key_file(path_));
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_EQ(status.st_size, 65);
  const auto key = read_key_file(path_);
  ASSERT_TRUE(key);
  EXPECT_NE(*key, Key{});
}

TEST_F(KeyFile, IsDifferentEachTime) {
  ASSERT_TRUE(create_key_file(path_));
  const auto other_path = directory_ / "other.key";
  ASSERT_TRUE(create_key_file(other_path));
  EXPECT_NE(*read_key_file(path_), *read_key_file(other_path));
}

TEST_F(KeyFile, IsNeverOverwritten) {
  ASSERT_TRUE(create_key_file(path_));
  const Key before = *read_key_file(path_);
  const auto again = create_key_file(path_);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().word, "key-exists");
  EXPECT_EQ(*read_key_file(path_), before);
}

TEST_F(KeyFile, CannotBeMadeWhereThereIsNoDirectory) {
  const auto made = create_key_file(directory_ / "missing" / "key");
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().word, "key-not-written");
}

TEST_F(KeyFile, ThatIsMissingNamesTheCommandThatMakesOne) {
  const auto key = read_key_file(path_);
  ASSERT_FALSE(key);
  EXPECT_EQ(key.error().word, "key-missing");
  EXPECT_NE(key.error().remedy.find("colo keygen"), std::string::npos);
}

TEST_F(KeyFile, ThatOthersMayReadIsRefused) {
  for (const ::mode_t mode : {0640U, 0604U, 0660U, 0777U}) {
    write(std::string(64, 'a') + "\n", mode);
    EXPECT_EQ(word(), "key-permissions") << std::oct << mode;
  }
}

TEST_F(KeyFile, MayLackTheNewlineAndUseCapitals) {
  write("00FF" + std::string(60, 'b'));
  const auto key = read_key_file(path_);
  ASSERT_TRUE(key);
  EXPECT_EQ((*key)[0], std::byte{0});
  EXPECT_EQ((*key)[1], std::byte{255});
  EXPECT_EQ((*key)[31], std::byte{0xbb});
}

TEST_F(KeyFile, ThatIsNoKeyIsMalformed) {
  for (const std::string& text :
       {std::string(), std::string(63, 'a'), std::string(65, 'a'), std::string(200, 'a'),
        std::string(63, 'a') + "g", std::string(64, 'a') + "\nmore", "\n" + std::string(64, 'a')}) {
    write(text);
    EXPECT_EQ(word(), "key-malformed") << text;
  }
}

TEST_F(KeyFile, ThatIsADirectoryIsMalformed) {
  std::filesystem::create_directory(path_);
  EXPECT_EQ(word(), "key-malformed");
}

TEST(DeriveKey, GivesEachPurposeItsOwnKey) {
  Key key{};
  key[5] = std::byte{9};
  const Key lanes = derive_key(key, "lanes");
  EXPECT_EQ(lanes, derive_key(key, "lanes"));
  EXPECT_NE(lanes, derive_key(key, "heartbeat"));
  EXPECT_NE(lanes, key);
  EXPECT_NE(lanes, derive_key(Key{}, "lanes"));
}

}  // namespace
}  // namespace colo::io
