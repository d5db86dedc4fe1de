import assert from "node:assert/strict";
import { test } from "node:test";
import { People, type Change, type Member } from "../src/demo/people.js";

const member = (clientId: string, tab: string, status = "online"): Member => ({
  clientId,
  status,
  data: { tab, name: tab.toUpperCase() },
});

function changes(people: People): string[] {
  const found: string[] = [];
  for (let change: Change | undefined = people.pollChange(); change !== undefined; change = people.pollChange()) {
    found.push(`${change.name} ${change.what}`);
  }
  return found;
}

test("who is there at first did not join; who comes later did; one's own coming is no news", () => {
  const people = new People("me");
  people.handleMembers([member("1", "ann")], 0);
  people.handleMembers([member("1", "ann"), member("2", "me"), member("3", "bob")], 100);
  assert.deepEqual(people.list.map(({ name }) => name), ["ME", "ANN", "BOB"]);
  assert.deepEqual(changes(people), ["BOB joined"]);
});

test("a line that comes back as another client is the same person, who never left", () => {
  const people = new People("me");
  people.handleMembers([member("1", "ann")], 0);
  people.handleMembers([], 1_000);
  people.handleTimeout(4_000);
  people.handleMembers([member("2", "ann")], 4_400);
  people.handleTimeout(20_000);
  assert.deepEqual(changes(people), []);
  assert.equal(people.nameOf("2"), "ANN");
  assert.equal(people.nameOf("1"), undefined);
});

test("who stays away has left, and the time of that is known", () => {
  const people = new People("me");
  people.handleMembers([member("1", "ann")], 0);
  people.handleMembers([], 1_000);
  assert.equal(people.pollTimeout(), 4_500);
  people.handleTimeout(4_500);
  assert.deepEqual(changes(people), ["ANN left"]);
  assert.deepEqual(people.list, []);
  assert.equal(people.pollTimeout(), undefined);
});

test("a member without a name is waited for, then shown as a guest", () => {
  const people = new People("me");
  people.handleMembers([member("1", "ann")], 0);
  people.handleMembers([member("1", "ann"), { clientId: "2" }], 100);
  assert.equal(people.list.length, 1);
  assert.equal(people.pollTimeout(), 1_600);
  people.handleTimeout(1_600);
  assert.deepEqual(people.list.map(({ name }) => name), ["ANN", "Guest"]);
  people.handleTimeout(1_700);
  assert.equal(people.list.length, 2);
  assert.equal(people.pollTimeout(), undefined);
});

test("of two lines of one tab the one that is not away counts", () => {
  const people = new People("me");
  people.handleMembers([member("1", "ann", "away"), member("2", "ann")], 0);
  assert.deepEqual(people.list.map(({ isAway }) => isAway), [false]);
  people.handleMembers([member("2", "ann", "away")], 10);
  assert.deepEqual(people.list.map(({ isAway }) => isAway), [true]);
});
