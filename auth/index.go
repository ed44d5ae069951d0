package auth

// index finds the place of a row by its id. Ids that lie close together, as an auto-increment makes them, cost four bytes each.
type index struct {
	dense  []int32 // place + 1; 0: no such row
	sparse map[int64]int32
}

// makeIndex indexes n rows by the id of each.
func makeIndex(n int, id func(int) int64) index {
	least, most := int64(0), int64(-1)
	for i := range n {
		least, most = min(least, id(i)), max(most, id(i))
	}
	if least >= 0 && most < int64(8*n+1_024) {
		dense := make([]int32, most+1)
		for i := range n {
			dense[id(i)] = int32(i) + 1
		}
		return index{dense: dense}
	}
	sparse := make(map[int64]int32, n)
	for i := range n {
		sparse[id(i)] = int32(i)
	}
	return index{sparse: sparse}
}

func (x index) find(id int64) (int32, bool) {
	if x.sparse != nil {
		i, ok := x.sparse[id]
		return i, ok
	}
	if id < 0 || id >= int64(len(x.dense)) || x.dense[id] == 0 {
		return 0, false
	}
	return x.dense[id] - 1, true
}
